"""The table of learning curves, what records it, and the studies that are played over it."""

import sys
from argparse import Namespace
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import optuna
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """Name -> module, of what this file looks at."""
    import importlib

    names = ("_curves", "_surrogate", "_virtual", "_contenders", "search_quality")
    sys.path.insert(0, str(BENCHMARKS))
    yield {name: importlib.import_module(name) for name in (*names, "record_curves")}
    sys.path.remove(str(BENCHMARKS))


class Grown:
    """Stands for the fitted model: a recipe scores 1 - |log10(rate / 1e-3)| / 3, and learns it."""

    epochs, reports = 2, 20

    def means(self, recipes: list[dict[str, Any]]) -> np.ndarray:
        rates = np.array([recipe["optimizer.encoder_lr"] for recipe in recipes])
        ends = 1 - np.abs(np.log10(rates / 1e-3)) / 3
        growth = np.arange(1, self.reports + 1) / self.reports
        return np.repeat((ends[:, None] * growth)[:, :, None], 2, axis=2)

    def draw(self, mean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return mean


def test_the_table_holds_what_it_is_to(modules: dict[str, ModuleType]) -> None:
    table = modules["_curves"].read_table()
    drawn, heads, repeats = (table.of(role) for role in ("drawn", "heads", "repeat"))
    assert len(drawn) + len(heads) >= 300
    assert len(repeats) >= 10
    assert modules["_curves"].TABLE.stat().st_size < 1_000_000
    for curve in table.curves:
        assert all(len(curve.scores[task]) == 40 for task in ("intent", "slots"))
        assert all(0 <= score <= 1 for scores in curve.scores.values() for score in scores)


def test_recipes_are_those_that_optuna_would_draw(modules: dict[str, ModuleType]) -> None:
    curves = modules["_curves"]
    space = curves.study_space()
    for job in islice(curves.recipes(space), 40):
        # Refuses a value outside of its range, and a parameter that is missing.
        assert space.sample(optuna.trial.FixedTrial(job.parameters)) == job.overrides
    kinds = [job.parameters["freezing.kind"] for job in islice(curves.recipes(space), 128)]
    assert min(kinds.count(kind) for kind in ("none", "lower_layers", "encoder")) >= 40


def test_recorded_recipes_are_those_that_are_drawn(modules: dict[str, ModuleType]) -> None:
    curves = modules["_curves"]
    drawn = curves.read_table().of("drawn")
    for job in islice(curves.recipes(curves.study_space()), 20):
        (found,) = drawn[job.recipe]
        assert found.job == job


def test_a_table_is_read_as_it_was_written(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    curves = modules["_curves"]
    table = curves.read_table()
    curves.write_table(tmp_path / "copy.gz", table.about, table.curves[:5])
    assert curves.read_table(tmp_path / "copy.gz").curves == table.curves[:5]


def test_the_process_predicts_as_scikit_learn_does(modules: dict[str, ModuleType]) -> None:
    generator = np.random.default_rng(0)
    inputs, asked = generator.normal(size=(40, 2)), generator.normal(size=(7, 2))
    targets = np.sin(inputs[:, 0]) + 0.1 * generator.normal(size=40)
    spread = targets.std()
    kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(
        np.ones(2), (1e-1, 1e2), nu=2.5
    ) + WhiteKernel(0.1, (1e-4, 1e1))
    reference = GaussianProcessRegressor(kernel).fit(inputs, (targets - targets.mean()) / spread)
    process = modules["_surrogate"].Process.fit(inputs, targets)
    expected = reference.predict(asked) * spread + targets.mean()
    assert process.predict(asked) == pytest.approx(expected, abs=1e-6)


def test_regret_is_that_of_the_report_that_looks_best(modules: dict[str, ModuleType]) -> None:
    seen = [
        modules["_virtual"].Seen(0.5 * (n + 1), "0", n + 1, np.array([score]), np.array([truth]))
        for n, (score, truth) in enumerate([(0.5, 0.4), (0.7, 0.3), (0.6, 0.6), (0.8, 0.7)])
    ]
    found = modules["search_quality"].regrets(seen, 0.9, [0.5, 1.0, 1.5, 2.0])
    assert found == pytest.approx([0.5, 0.6, 0.6, 0.2])


@pytest.mark.parametrize("form", ["stopping", "promoting"])
def test_a_study_of_ours_is_played_to_its_budget(modules: dict[str, ModuleType], form: str) -> None:
    virtual, contenders = modules["_virtual"], modules["_contenders"]
    scheduler = {"kind": "asha", "grace_epochs": 0.5, "form": form}
    study = contenders.ours(0, 2, sampler={"kind": "random"}, scheduler=scheduler)
    seen = virtual.play(study, virtual.World(Grown(), 0), trainers=3, budget=12)
    assert len(seen) == 120
    assert seen[-1].epochs == pytest.approx(12)
    reports: dict[str, list[int]] = {}
    for one in seen:
        reports.setdefault(one.run_id, []).append(one.number)
    # Whoever paused goes on behind its last report.
    assert all(found == list(range(1, len(found) + 1)) for found in reports.values())
    assert len(reports["0000"]) == 20  # The study file's own recipe is never stopped.
    others = [len(found) for run_id, found in reports.items() if run_id != "0000"]
    assert others.count(5) > len(others) / 3


@pytest.mark.parametrize("name", ["Ray's OptunaSearch + ASHA", "Optuna's TPE + HyperbandPruner"])
def test_the_others_are_played_as_well(modules: dict[str, ModuleType], name: str) -> None:
    virtual = modules["_virtual"]
    study = modules["search_quality"].methods(20)[name](0, 2)
    seen = virtual.play(study, virtual.World(Grown(), 0), trainers=3, budget=8)
    lengths = {one.run_id: one.number for one in seen}
    assert len(seen) == 80
    assert min(lengths.values()) < 20 <= max(lengths.values())


def test_who_takes_over_goes_on_from_the_score_of_the_donor(
    modules: dict[str, ModuleType],
) -> None:
    class Known:
        """Curves of five reports, each by its name."""

        curves: ClassVar = {
            "good": [0.2, 0.5, 0.6, 0.6, 0.6],
            "poor": [0.1, 0.1, 0.1, 0.1, 0.1],
            "late": [0.0, 0.1, 0.2, 0.5, 0.9],
        }

        def means(self, recipes: list[dict[str, Any]]) -> np.ndarray:
            return np.array([[[score] * 2 for score in self.curves[one["x"]]] for one in recipes])

        def draw(self, mean: np.ndarray, generator: np.random.Generator) -> np.ndarray:
            return mean + 0.01

    virtual = modules["_virtual"]
    world = virtual.World(Known(), 0)
    for name in ("good", "poor"):
        world.run(virtual.Point(name, {"x": name}))
    changed = virtual.Point("poor", {"x": "late"}, done=2, donor="good")
    world.take_over(changed)
    noisy, truth = world.run(changed)
    # 0.5 + (0.2 - 0.1), 0.5 + (0.5 - 0.1), 0.5 + (0.9 - 0.1) which is more than there is.
    assert truth[:, 0] == pytest.approx([0.1, 0.1, 0.6, 0.9, 1.0])
    assert noisy[:, 1] == pytest.approx([0.11, 0.11, 0.61, 0.91, 1.0])
    # The donor stays as it is.
    assert world.run(virtual.Point("good", {}))[1][:, 0] == pytest.approx(Known.curves["good"])


def test_a_population_is_played_until_all_of_it_has_run(modules: dict[str, ModuleType]) -> None:
    virtual, quality = modules["_virtual"], modules["search_quality"]
    found: dict[str, float] = {}
    for name, start in (quality.populations() | {"random": quality.methods(20)["random"]}).items():
        world = virtual.World(Grown(), 0)
        seen = virtual.play(start(0, 2), world, trainers=4, budget=24)
        found[name] = max(one.truth.mean() for one in seen)
        trials = {one.run_id for one in seen}
        assert len(seen) == 20 * len(trials)
        if name != "random":
            assert name == f"PBT of {len(trials)} trials"
            # Of reports that fall together none comes before the others are there.
            progress = [one.number for one in seen]
            assert all(after >= before - 5 for before, after in pairwise(progress))
    assert found["PBT of 12 trials"] > found["random"]


@pytest.mark.slow
def test_what_is_recorded_is_what_training_reports(modules: dict[str, ModuleType]) -> None:
    from mtl_core.config import RunConfig
    from mtl_core.study_file import override
    from mtl_core.training.loop import train

    record = modules["record_curves"]
    options = Namespace(data=None, encoder=record.BUNDLED, train=320, dev=40, epochs=1,
                        precision="fp32")  # fmt: skip
    run, threads = record.settings(options), torch.get_num_threads()
    record.begin_process(run)
    job = next(modules["_curves"].recipes(modules["_curves"].study_space()))
    curve = record.record(job)
    torch.set_num_threads(threads)
    assert [len(scores) for scores in curve.scores.values()] == [10, 10]
    alone = override(run, {**job.overrides, "training.reports_per_epoch": 1})
    (report,) = train(RunConfig.model_validate(alone))
    assert curve.scores["intent"][-1] == pytest.approx(report.dev["intent"]["accuracy"], abs=1e-4)
    assert curve.scores["slots"][-1] == pytest.approx(report.dev["slots"]["f1"], abs=1e-4)


def test_repeats_are_the_best_recipes_and_others(modules: dict[str, ModuleType]) -> None:
    record, curves = modules["record_curves"], modules["_curves"]
    done = curves.read_table().curves
    jobs = list(record.repeats(done))
    best = max(curves.read_table().of("drawn").values(), key=lambda one: one[0].combined().max())
    assert jobs[0].recipe == best[0].job.recipe
    assert len({(job.recipe, job.seed) for job in jobs}) == len(jobs) == 48
    assert {job.role for job in jobs} == {"repeat"}


@pytest.mark.parametrize(
    ("points", "share"),
    [
        ([], 0.0),
        ([(1.0, 1.0)], 1.0),
        ([(0.75, 0.65)], 0.25),
        ([(0.75, 1.0), (1.0, 0.65)], 0.75),
        ([(0.75, 1.0), (1.0, 0.65), (0.7, 0.6), (0.4, 1.0)], 0.75),
    ],
)
def test_what_points_cover(
    modules: dict[str, ModuleType], points: list[tuple[float, float]], share: float
) -> None:
    found = modules["search_quality"].covered([np.array(point) for point in points])
    assert found == pytest.approx(share)


def test_a_study_of_two_objectives_is_played(modules: dict[str, ModuleType]) -> None:
    virtual, quality = modules["_virtual"], modules["search_quality"]
    study = quality.front_methods()["TPE + pareto_asha"](0, 2)
    seen = virtual.play(study, virtual.World(Grown(), 0), trainers=3, budget=10)
    assert len(seen) == 100
    few, many = quality.hypervolumes(seen, [4, 10])
    assert 0 < few <= many <= 1


@pytest.mark.parametrize("between", ["process", "trees"])
def test_curves_of_recorded_recipes_are_near_what_was_recorded(
    modules: dict[str, ModuleType], between: str
) -> None:
    curves, surrogates = modules["_curves"], modules["_surrogate"]
    whole = curves.read_table()
    table = curves.Table(whole.about, whole.curves[:150])
    recorded = [one for [one] in table.of("drawn").values()]
    found = surrogates.Surrogate.of(table, between).means([one.job.parameters for one in recorded])
    scores = np.array([surrogates.as_array(one) for one in recorded])
    # Curves range from 0 to 0.95; those of a repeated recipe differ by 0.01 to 0.03.
    assert np.sqrt(np.square(found - scores).mean()) < 0.05
