"""A sampler by where it is imported from: one of Optuna's, and one of a user's own file."""

import logging
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from samplers import PLAIN, sampler_of, space_of

from mtl_core.errors import ConfigError, TrainingError
from tuning.search.samplers.base import SamplerBase
from tuning.study.journal import open_optuna
from tuning.study.load import load_study
from tuning.study.search_check import tell_doubts

OWN = '''
import random

from optuna.samplers import BaseSampler


class Lowest(BaseSampler):
    """Draws the lowest values, and says what it was shown."""

    def __init__(self, seed, wanted="low", **others):
        self.seed, self.wanted = seed, wanted
        random.seed(others.get("more", 0))

    def infer_relative_search_space(self, study, trial):
        return {}

    def sample_relative(self, study, trial, search_space):
        values = [one.value for one in study.get_trials(deepcopy=False)]
        study._storage.set_trial_system_attr(trial._trial_id, "shown", values)
        study.stop()  # As samplers do that were written for `study.optimize`.
        return {}

    def sample_independent(self, study, trial, name, distribution):
        if self.wanted == "broken":
            raise KeyError(name)
        return getattr(distribution, "low", None) or distribution.to_external_repr(0)


class Seedless(Lowest):
    def __init__(self):
        super().__init__(0)


class Half(BaseSampler):
    def sample_independent(self, study, trial, name, distribution):
        return 0


class Refusing(Lowest):
    def __init__(self, seed):
        raise ValueError("not today")


NO_SAMPLER = 3
'''


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a user's own, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "own.py"
    path.write_text(OWN, encoding="utf-8")
    return path


def imported(class_path: str, **settings: object) -> SamplerBase:
    return sampler_of("imported", class_path=class_path, settings=settings)


def test_a_sampler_of_ones_own_is_shown_stopped_trials_and_draws_whole_points(own: Path) -> None:
    section, space = imported("own.py:Lowest"), space_of(PLAIN)
    assert section.model_dump(mode="json")["class_path"] == f"{own}:Lowest"
    section.check(space)
    study = open_optuna(own.parent / "j", name="demo", sampler=section.build(3, space))
    stopped = study.ask()
    space.sample(stopped)
    stopped.report(0.25, 1)
    study.tell(stopped, state=TrialState.PRUNED)
    second = study.ask()
    assert space.sample(second) != {"rate": 1e-5, "dropout": 0.0, "size": 1, "pooling": "mean"}
    first, then = study.get_trials(deepcopy=False)
    assert first.params == {"rate": 1e-5, "dropout": 0.0, "size": 1, "pooling": "mean"}
    assert then.system_attrs["shown"] == [0.25]


@pytest.mark.parametrize(
    ("class_path", "settings", "said"),
    [
        (
            "none.py:Lowest",
            {},
            r"^class_path: cannot import '/.*/none\.py:Lowest': there is no file",
        ),
        ("own.py:Highest", {}, r"^class_path: cannot import '/.*own\.py:Highest': .*no attribute"),
        ("own.py:NO_SAMPLER", {}, r"^class_path: '/.*own\.py:NO_SAMPLER' is not a class derived"),
        ("own.py:Half", {}, r"^class_path: '/.*:Half' lacks infer_relative_search_space, sample_r"),
        ("own.py:Refusing", {}, r"^settings: '/.*own\.py:Refusing' cannot be made: not today$"),
        (
            "own.py:Lowest",
            {"seed": 1},
            r"^settings: found 'seed', which is the study's: study\.seed$",
        ),
        (
            "optuna.samplers:TPESampler",
            {"n_startup_trial": 3},
            r"^settings: unknown key 'n_startup_trial'; allowed here: .* Did you mean 'n_start",
        ),
        (
            "optuna.samplers:CmaEsSampler",
            {},
            r"^class_path: .* keeps pickles in the .* kind: cma_es$",
        ),
        (
            "no_such_package.samplers:X",
            {},
            r"^class_path: cannot import 'no_such_package\.samplers:",
        ),
    ],
)
def test_what_is_no_sampler_is_refused_in_a_line(
    own: Path, class_path: str, settings: dict, said: str
) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        imported(class_path, **settings).check(space_of(PLAIN))
    assert "\n" not in str(caught.value)


def test_the_place_of_what_is_refused_is_told(own: Path) -> None:
    sampler = "study.sampler={kind: imported, class_path: 'own.py:Highest'}"
    with pytest.raises(
        ConfigError, match=r"^--set study\.sampler=.*: study\.sampler\.class_path: c"
    ):
        load_study("demo", [sampler])


def test_an_error_of_a_users_own_code_ends_the_study_in_a_line(own: Path) -> None:
    space = space_of(PLAIN)
    sampler = imported("own.py:Lowest", wanted="broken", more=1).build(3, space)
    study = optuna.create_study(sampler=sampler, direction="maximize")
    with pytest.raises(
        TrainingError, match=r"^study\.sampler: failed at trial 0: KeyError: 'rate'; "
    ):
        space.sample(study.ask())


def test_doubts_are_told(own: Path, caplog: pytest.LogCaptureFixture) -> None:
    sampler = "study.sampler={kind: imported, class_path: 'own.py:Seedless'}"
    with caplog.at_level(logging.WARNING):
        tell_doubts(load_study("demo", [sampler]))
        tell_doubts(
            load_study("demo", ["study.sampler={kind: grid, points: 2}", "study.trials=99"])
        )
    assert [record.getMessage() for record in caplog.records] == [
        f"study.sampler: {own}:Seedless takes no seed: where it draws at random, the study tries "
        "other points each time",
        "study.trials is 99; after 97 there is nothing left to try, and the study ends",
    ]
