"""Priors of parameters, against scipy's truncated normal and Optuna's own scales."""

import math

import numpy as np
import optuna
import pytest
from optuna._transform import _SearchSpaceTransform
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from tuning.space.domains import Domain
from tuning.space.option_domains import Options, Ordered
from tuning.space.priors import NormalPrior, OptionsPrior
from tuning.space.range_domains import Floats, Ints, Steps
from tuning.space.space import Entry, Parameter, Space

SHARES = np.linspace(0.001, 0.999, 41)


def parameter(entry: dict) -> Parameter:
    [found] = Space(TypeAdapter(dict[str, Entry]).validate_python({"key": entry})).parameters
    return found


@pytest.mark.parametrize(("centre", "spread"), [(0.5, 0.25), (0.0, 0.125), (1.0, 0.5), (0.2, 0.01)])
def test_a_normal_prior_is_scipys_truncated_normal(centre: float, spread: float) -> None:
    prior = NormalPrior(centre, spread)
    ends = (0 - centre) / spread, (1 - centre) / spread
    expected = stats.truncnorm(*ends, loc=centre, scale=spread)
    assert [prior.quantile(u) for u in SHARES] == pytest.approx(expected.ppf(SHARES), abs=1e-9)
    assert [prior.density(u) for u in SHARES] == pytest.approx(expected.pdf(SHARES), rel=1e-9)
    assert 0 <= prior.quantile(0.0) <= prior.quantile(1.0) <= 1


def test_a_prior_of_options_is_drawn_as_often_as_its_weights_say() -> None:
    prior, domain = OptionsPrior((0.1, 0.7, 0.2)), Options(("a", "b", None))
    draws = [domain.at(prior.quantile((n + 0.5) / 1000)) for n in range(1000)]
    assert {one: draws.count(one) for one in domain.values} == {"a": 100, "b": 700, None: 200}
    assert [prior.density(u) for u in (0.1, 0.5, 0.9)] == pytest.approx([0.3, 2.1, 0.6])


@pytest.mark.parametrize(
    ("entry", "prior"),
    [
        # On a logarithmic scale 1e-4 is the middle.
        ({"log_range": [1e-5, 1e-3], "prior": {"likely": 1e-4}}, NormalPrior(0.5, 0.25)),
        ({"range": [0, 2], "prior": {"likely": 2, "sure": "high"}}, NormalPrior(1.0, 0.125)),
        # The second of five numbers, each of which has a fifth of the positions.
        ({"int_range": [1, 5], "prior": {"likely": 2, "sure": "low"}}, NormalPrior(0.3, 0.5)),
        # The third of four indices, and the first of three steps.
        ({"ordered": [1, 4, 16, 64], "prior": {"likely": 16}}, NormalPrior(0.625, 0.25)),
        ({"range": [0, 1], "step": 0.5, "prior": {"likely": 0}}, NormalPrior(1 / 6, 0.25)),
        (
            {"choice": ["a", "b", "c"], "prior": {"likely": "b"}},
            OptionsPrior((1 / 6, 4 / 6, 1 / 6)),
        ),
    ],
)
def test_what_a_study_file_says_of_a_prior(entry: dict, prior: object) -> None:
    found = parameter(entry).prior
    assert isinstance(found, type(prior))
    for name in type(prior).__slots__:
        assert getattr(found, name) == pytest.approx(getattr(prior, name))


def test_a_choice_of_sections_has_a_prior_by_kind_and_so_has_what_stands_inside() -> None:
    layers = {"int_range": [1, 4], "prior": {"likely": 3}}
    sections = [{"kind": "none"}, {"kind": "lower_layers", "layers": layers}]
    entry = {"choice": sections, "prior": {"likely": "lower_layers", "sure": "high"}}
    space = Space(TypeAdapter(dict[str, Entry]).validate_python({"freezing": entry}))
    assert [(one.name, one.prior) for one in space.parameters] == [
        ("freezing.kind", OptionsPrior((1 / 9, 8 / 9))),
        ("freezing.lower_layers.layers", NormalPrior(0.625, 0.25)),
    ]
    assert list(space.with_priors()) == ["freezing"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"log_range": [1e-5, 1e-3], "prior": {"likely": 0.1}},
            "found the likeliest value 0.1 of a prior; allowed: 1e-05 to 0.001",
        ),
        ({"int_range": [1, 4], "prior": {"likely": 2.5}}, "2.5 of a prior; allowed: 1 to 4"),
        (
            {"choice": ["cosine", "linear"], "prior": {"likely": "cosin"}},
            "found the likeliest value cosin .*; allowed: cosine, linear. Did you mean 'cosine'?",
        ),
        ({"range": [0, 1], "prior": {"likely": 0.5, "sure": "very"}}, "'low', 'medium' or 'high'"),
        ({"range": [0, 1], "piror": {"likely": 0.5}}, "unknown key 'piror'.*Did you mean 'prior'?"),
    ],
)
def test_a_prior_that_is_never_drawn_is_refused(entry: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        parameter(entry)


def test_an_entry_is_kept_as_it_was_written() -> None:
    adapter = TypeAdapter(Entry)
    for entry in ({"range": [0.0, 1.0]}, {"range": [0.0, 1.0], "prior": {"likely": 0.5}}):
        kept = adapter.dump_python(adapter.validate_python(entry), mode="json")
        assert kept.keys() == entry.keys()
        assert adapter.validate_python(kept) == adapter.validate_python(entry)


@pytest.mark.parametrize(
    ("domain", "distribution"),
    [
        (Floats(-1, 3), optuna.distributions.FloatDistribution(-1, 3)),
        (
            Floats(1e-5, 1e-2, log=True),
            optuna.distributions.FloatDistribution(1e-5, 1e-2, log=True),
        ),
        (Ints(-2, 7), optuna.distributions.IntDistribution(-2, 7)),
        (Ints(-2, 7, step=3), optuna.distributions.IntDistribution(-2, 7, step=3)),
        (Steps(0.1, 0.5, 0.05), optuna.distributions.FloatDistribution(0.1, 0.5, step=0.05)),
        (Ordered(("s", "m", "l")), optuna.distributions.IntDistribution(0, 2)),
        (Ints(1, 9, log=True), optuna.distributions.IntDistribution(1, 9, log=True)),
    ],
)
def test_positions_are_optunas_own(
    domain: Domain, distribution: optuna.distributions.BaseDistribution
) -> None:
    transform = _SearchSpaceTransform({"key": distribution}, transform_0_1=True)
    for position in SHARES:
        drawn = domain.at(position)
        assert drawn == pytest.approx(transform.untransform(np.array([position]))["key"])
        assert domain.contains(domain.in_effect(drawn))
        assert domain.position(drawn) == pytest.approx(transform.transform({"key": drawn})[0])
        assert domain.at(domain.position(drawn)) == pytest.approx(drawn)


def test_options_share_the_positions_in_order() -> None:
    domain = Options(("a", None, 3))
    shares = {0.0: "a", 0.33: "a", 0.34: None, 0.66: None, 0.67: 3, 1.0: 3}
    assert {u: domain.at(u) for u in shares} == shares
    assert [domain.at(domain.position(one)) for one in domain.values] == list(domain.values)


@pytest.mark.parametrize(
    ("prior", "position"),
    [(NormalPrior(0.0, 0.02), 1.0), (NormalPrior(-60.0, 1.0), 0.5), (NormalPrior(60.0, 1.0), 0.0)],
)
def test_a_density_far_off_is_neither_0_nor_endless(prior: NormalPrior, position: float) -> None:
    assert math.isfinite(math.log(prior.density(position)))
