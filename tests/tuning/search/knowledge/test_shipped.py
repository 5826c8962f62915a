"""The shipped priors, against values that the literature and worked cases give."""

import math

import pytest
from samplers import space_of

from mtl_core.config import RunConfig
from mtl_core.section import plain_sections
from tuning.search.knowledge.shipped import Setting, known_priors, likely_value, shipped_priors
from tuning.space.priors import NormalPrior, OptionsPrior


def setting(millions: float = 22, steps: int = 1000, freezing: tuple = ("none",)) -> Setting:
    return Setting({"freezing.kind": freezing}, int(millions * 1e6), steps)


def priors(entries: dict, at: Setting) -> dict[str, object]:
    return {one.name: one.prior for one in shipped_priors(space_of(entries).parameters, at)}


RATE = {"optimizer.encoder_lr": {"log_range": [1e-6, 1e-2]}}


def test_every_entry_says_what_it_is_and_names_a_key_of_a_recipe() -> None:
    plain = {
        ".".join((*path, name))
        for path, section in plain_sections(RunConfig).items()
        for name in section.model_fields
    }
    for known in known_priors():
        assert (known.likely is None) == bool(known.odds), known.key
        assert (known.times is None) != (known.plus is None) or known.odds, known.key
        # What stands inside of a task or of a kind is known by its head alone.
        assert known.key in plain or known.key.split(".")[0] in {one.split(".")[0] for one in plain}


@pytest.mark.parametrize(
    ("millions", "low", "high"),
    [(14, 1e-4, 5e-4), (110, 2e-5, 1e-4), (340, 1e-5, 5e-5), (900, 4e-6, 1e-5), (1500, 3e-6, 3e-6)],
)
def test_larger_encoders_learn_slower(millions: float, low: float, high: float) -> None:
    """Rates that papers name for encoders of this size."""
    known = [one for one in known_priors() if one.key == "optimizer.encoder_lr"][1]
    likely = likely_value(known, setting(millions))
    assert likely is not None
    assert low * 0.999 <= likely <= high * 1.001


def test_a_prior_on_the_scale_of_its_range() -> None:
    [prior] = priors(RATE, setting()).values()
    assert isinstance(prior, NormalPrior)
    # 4e-4 in four orders of magnitude; one deviation is a factor of 2.5.
    assert prior.centre == pytest.approx(math.log10(4e-4 / 1e-6) / 4)
    assert prior.spread == pytest.approx(math.log10(2.5) / 4)
    # Ten times as many steps: 0.65 of it.
    [later] = priors(RATE, setting(steps=10_000)).values()
    assert later.centre - prior.centre == pytest.approx(math.log10(0.65) / 4)
    [even_range] = priors({"optimizer.warmup": {"range": [0.0, 0.5]}}, setting()).values()
    assert even_range == NormalPrior(pytest.approx(0.2), pytest.approx(0.1))


def test_a_value_outside_of_the_range_counts_as_its_nearer_end() -> None:
    [prior] = priors({"optimizer.encoder_lr": {"log_range": [1e-6, 1e-5]}}, setting()).values()
    assert prior.centre == 1.0


def test_choices() -> None:
    entries = {
        "weighting": {"choice": [{"kind": "fixed"}, {"kind": "uncertainty"}, {"kind": "dwa"}]},
        "training.batch_size": {"choice": [32, 64, 512]},
        "optimizer.schedule": {"choice": ["linear", "cosine"]},
    }
    found = priors(entries, setting())
    assert found["weighting.kind"] == OptionsPrior((0.5, 0.25, 0.25))
    first, second, last = found["training.batch_size"].weights
    assert first / second == pytest.approx(math.exp(0.5 * (math.log(2) / math.log(1.7)) ** 2))
    assert first / last == pytest.approx(1000)  # However far off, it may still be drawn.
    assert "optimizer.schedule" not in found
    # None of the options is named: an even chance says nothing.
    assert priors({"weighting": {"choice": [{"kind": "dwa"}, {"kind": "famo"}]}}, setting()) == {}


def test_any_task_has_the_prior_of_tasks() -> None:
    found = priors({"tasks.slots.weight": {"log_range": [0.1, 10]}}, setting())[
        "tasks.slots.weight"
    ]
    assert found.centre == pytest.approx(0.5)
    assert found.spread == pytest.approx(math.log10(3) / 2)


def test_what_holds_under_a_condition_is_passed_over_without_it() -> None:
    [prior] = priors(RATE, setting(110, freezing=("lora",))).values()
    assert prior.centre == pytest.approx(math.log10(4e-4 / 1e-6) / 4)
    [prior] = priors(RATE, setting(110, freezing=("none", "lower_layers"))).values()
    assert prior.centre == pytest.approx(math.log10(5e-5 / 1e-6) / 4)
    for freezing in (("bias_only",), ("none", "lora"), ()):
        assert priors(RATE, setting(freezing=freezing)) == {}
