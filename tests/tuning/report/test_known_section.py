"""What a report says of what a study knew beforehand."""

import optuna
import pytest
from samplers import space_of

from tuning.report.known import FROM_NOTHING, Beforehand, known_section
from tuning.search.knowledge.known import Earlier
from tuning.search.knowledge.similar import similarities_in
from tuning.space.priors import NormalPrior
from tuning.study.known import KnownFacts, KnownPrior, KnownStudy


def test_a_study_that_began_from_nothing_has_no_section() -> None:
    assert known_section(FROM_NOTHING) == []


def test_earlier_studies_and_priors_have_a_table_each() -> None:
    points = ({"a|b": 0.1, "c": 1}, {"a|b": 0.2, "c": 1})
    known = KnownFacts(
        (KnownPrior("optimizer.encoder_lr", NormalPrior(0.5, 0.1), "about 1e-4, times <2"),),
        (KnownStudy("/runs/<before>", points, 5),),
    )
    heading, studies, note, priors = known_section(Beforehand(known, [0.256]))
    assert heading == "## What was known beforehand"
    # A bar would end a cell, and HTML is none.
    assert studies.splitlines()[2] == r"| `/runs/<before>` | 2 of 5 | `a\|b` | 25.60 |"
    assert "are among no results" in note
    assert priors.splitlines()[2] == "| `optimizer.encoder_lr` | about 1e-4, times <2 |"


def test_similarity_is_that_of_the_study_as_it_stands() -> None:
    space = space_of(
        {
            "rate": {"range": [0.0, 1.0]},
            "freezing": {"choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": 1}]},
        }
    )
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=1))
    study.add_trial(optuna.trial.create_trial(value=9.0))  # Trial 0, all outside of the space.
    for _ in range(20):
        trial = study.ask()
        space.sample(trial)
        study.tell(trial, -abs(trial.params["rate"] - 0.2))

    def earlier(best: float) -> Earlier:
        rates = sorted((number / 20 for number in range(20)), key=lambda rate: abs(rate - best))
        return Earlier("runs/before", tuple({"rate": rate} for rate in rates))

    near, far = similarities_in(study, [earlier(0.2), earlier(0.9)])
    assert near > 0.7 > 0.4 > far
    empty = optuna.create_study(direction="maximize")
    assert similarities_in(empty, [earlier(0.2)]) == [pytest.approx(0.0)]
