"""A worker between jobs: what a trial leaves behind is freed, what outlives it is not looked at."""

import errno
import gc
import weakref
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from conftest import RunConfigFactory
from huggingface_hub import ModelCard
from ray.exceptions import ActorUnavailableError
from times import timeless

from mtl_core.assets import assets_key
from mtl_core.card_data import About
from mtl_core.config import RunConfig
from mtl_core.errors import DataError, StorageError, TrainingError
from mtl_core.task_errors import read_errors
from mtl_core.training.distributed import Place
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.objectives.relative_gain import RelativeGain
from mtl_core.training.progress import Progress
from mtl_core.training.report import Report
from tuning.records import run_id_of
from tuning.trainers import channel, shelf
from tuning.trainers import worker as module
from tuning.trainers.decisions import Decision, GoOn, Stop
from tuning.trainers.messages import (
    Failed,
    Job,
    Message,
    PoolAddress,
    Reported,
    Scored,
    ScoreJob,
    StudyRef,
    TrainJob,
    TrialSpec,
)
from tuning.trainers.worker import StudyTerms, Worker, WorkerSettings, work_off


class Cyclic:
    """Holds itself, as models and optimisers do: only the collector frees it."""

    def __init__(self, key: str = "") -> None:
        self.key = key
        self.itself = self


@pytest.fixture(autouse=True)
def thaw() -> Iterator[None]:
    threads = torch.get_num_threads()
    gc.disable()  # nothing is freed by chance
    yield
    gc.enable()
    gc.unfreeze()
    torch.set_num_threads(threads)


def test_a_trial_is_freed_and_the_rest_is_set_aside() -> None:
    left: list[weakref.ref[Cyclic]] = []
    frozen: list[int] = []
    jobs = iter([train_job(1), train_job(2)])

    def take() -> Job | None:
        frozen.append(gc.get_freeze_count())
        return next(jobs, None)

    def do(job: Job) -> None:
        assert all(trial() is None for trial in left)
        left.append(weakref.ref(Cyclic()))
        assert left[-1]() is not None

    work_off(take, do, settings_of({}), place=Place.current())
    assert [trial() for trial in left] == [None, None]
    before, *after = frozen
    assert before == 0
    assert len(after) == 2
    assert min(after) > 10_000  # the modules that are loaded


@pytest.mark.parametrize(
    ("changes", "grown"),
    [({"is_fresh": True}, [False]), ({}, [False, True])],
    ids=["fresh", "grown"],
)
def test_workers_start_anew_together(changes: dict[str, bool], grown: list[bool]) -> None:
    """As soon as one of them has grown, which may be another one."""
    done: list[Job] = []
    answers = iter(grown)
    place: Any = SimpleNamespace(gather=lambda mine: [mine, next(answers)])
    settings = replace(settings_of({}), **changes)
    work_off(lambda: train_job(len(done)), done.append, settings, place)
    assert len(done) == len(grown)


def test_other_assets_free_those_before_them(
    monkeypatch: pytest.MonkeyPatch, run_config: RunConfigFactory
) -> None:
    def load(config: RunConfig, *, device: object) -> Cyclic:
        return Cyclic(assets_key(config))

    monkeypatch.setattr(shelf.Assets, "load", load)
    kept = shelf.Shelf(torch.device("cpu"))
    first = weakref.ref(kept.assets_for(run_config()))
    gc.collect()
    gc.freeze()  # as after every job
    assert kept.assets_for(run_config({"training.epochs": 2})) is first()
    kept.assets_for(run_config({"encoder.max_length": 16}))
    assert first() is None


def test_workers_wait_together_for_as_long_as_other_trials_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[dict[str, object]] = []
    monkeypatch.setattr(channel.dist, "new_group", lambda **settings: made.append(settings))
    monkeypatch.setattr(channel.ray, "get_actor", lambda *_, **__: None)
    place: Any = SimpleNamespace(world_size=2, rank=1)
    channel.Channel(PoolAddress("pool", "tests"), 0, place)
    [settings] = made
    assert settings["backend"] == "gloo"
    assert isinstance(settings["timeout"], timedelta)
    assert settings["timeout"] > timedelta(days=30)


class Line:
    """A channel without a pool: what goes through it, and what its pool decides."""

    def __init__(self, *decisions: Decision) -> None:
        self.sent: list[Message] = []
        self.reported: list[Message] = []
        self.given_back: list[str] = []
        self._decisions = iter(decisions)

    def send(self, message: Message) -> Decision:
        self.sent.append(message)
        return next(self._decisions, GoOn())

    def report(self, message: Message) -> Decision:
        self.reported.append(message)
        return Stop()

    def give_back(self, reason: str) -> None:
        self.given_back.append(reason)

    def tell(self, progress: Progress) -> None:
        """Has no pool to tell."""


def settings_of(run: dict[str, object]) -> WorkerSettings:
    studies = {"": StudyTerms(run, Mean())}
    return WorkerSettings(studies, threads=1, memory_growth_bytes=1e12, is_fresh=False)


def train_job(number: int, overrides: dict[str, object] | None = None) -> TrainJob:
    return TrainJob(TrialSpec(run_id_of(number), overrides or {}, Path("checkpoint")))


def worker_on(line: Any, config: RunConfig, place: Any = None) -> Worker:
    settings = settings_of(config.model_dump(mode="json"))
    return Worker(settings, line, place or Place.current())


def failing_worker(
    monkeypatch: pytest.MonkeyPatch, config: RunConfig, error: Exception, world_size: int
) -> tuple[Line, Worker]:
    """One of so many workers, whose training raises an error."""

    def train(*_: object, **__: object) -> Iterator[Report]:
        raise error
        yield

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(shelf.Assets, "load", lambda *_, **__: None)
    line, place = Line(), SimpleNamespace(world_size=world_size, rank=1, device="cpu")
    return line, worker_on(line, config, place)


class UnexpectedError(Exception):
    """An error that nobody expects."""


@pytest.mark.parametrize(
    ("error", "world_size", "sent", "is_raised"),
    [
        (TrainingError("the loss is nan"), 2, ["TrainingError: the loss is nan"], False),
        (DataError("a.conll:3: no"), 1, ["DataError: a.conll:3: no"], False),
        (DataError("a.conll:3: no"), 2, ["DataError: a.conll:3: no"], True),
        (UnexpectedError("boom"), 2, ["UnexpectedError: boom"], True),
        (ActorUnavailableError("the answer was lost", None), 1, [], True),
        (RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer"), 2, [], True),
    ],
)
def test_a_worker_whose_error_the_others_may_not_share_leaves_them(
    monkeypatch: pytest.MonkeyPatch,
    run_config: RunConfigFactory,
    error: Exception,
    world_size: int,
    sent: list[str],
    is_raised: bool,
) -> None:
    line, worker = failing_worker(monkeypatch, run_config(), error, world_size)
    if is_raised:
        with pytest.raises(type(error)):
            worker.do(train_job(0))
    else:
        worker.do(train_job(0))
    # What the others meet as well is sent by all together, anything else by this worker alone.
    assert bool(line.sent) == isinstance(error, TrainingError)
    found = [message.error.strip().splitlines()[-1] for message in (*line.sent, *line.reported)]
    assert [text.removeprefix("test_worker.") for text in found] == sent


@pytest.mark.parametrize("world_size", [1, 2])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StorageError("cannot write a/state.pt: No space left"), "a/state.pt: No space left"),
        (OSError(errno.ENOSPC, "No space left", "a/b"), "a/b: No space left on device"),
        (RuntimeError("write failed: File too large (os error 27)"), "the output: File too large"),
    ],
)
def test_a_full_disk_does_not_fail_the_job(
    monkeypatch: pytest.MonkeyPatch,
    run_config: RunConfigFactory,
    error: Exception,
    reason: str,
    world_size: int,
) -> None:
    line, worker = failing_worker(monkeypatch, run_config(), error, world_size)
    # The others of its trainer may wait for it in the middle of a step.
    with pytest.raises(type(error)) if world_size > 1 else nullcontext():
        worker.do(train_job(0))
    assert line.given_back == [f"cannot write {reason}"]
    assert not line.sent + line.reported


@pytest.mark.parametrize("has_test", [True, False])
def test_tasks_that_do_not_count_make_no_test_score(
    run_config: RunConfigFactory, corpus: Path, tmp_path: Path, has_test: bool
) -> None:
    """24 sentences and two chunks of other text, whose words are an auxiliary task."""
    lines = {split: str(corpus / split / "seq.in") for split in ("train", "dev", "test")}
    config = run_config(
        {
            "datasets.text": {"kind": "lines", "splits": lines},
            "tasks.words": {"kind": "masked_lm", "dataset": "text", "chunk": 16},
            "training.epochs": 1,
            **({} if has_test else {"datasets.corpus.splits": {"test": None}}),
        }
    )
    line = Line()
    worker = worker_on(line, config)
    spec = TrialSpec("0000", {}, tmp_path)
    worker.do(TrainJob(spec))
    worker.do(ScoreJob(spec, export=None, dev={}))
    reported, scored = line.sent
    assert isinstance(reported, Reported)
    assert isinstance(scored, Scored)
    assert scored.scores is not None
    assert scored.worth_in_rows == (24 if has_test else 0)
    names = {"combined", "intent", "slots"} if has_test else set()
    assert scored.scores.keys() == {"joint_accuracy", "words", *names}


def test_the_model_of_a_scored_run_tells_what_its_owner_says(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    line = Line()
    worker = worker_on(line, run_config({"training.epochs": 1}))
    spec = TrialSpec("0000", {}, tmp_path / "run")
    worker.do(TrainJob(spec))
    about = About(license="mit", language=("de",))
    worker.do(ScoreJob(spec, export=tmp_path / "best", dev={}, about=about))
    data = ModelCard.load(tmp_path / "best" / "README.md").data
    assert (data.license, data.language) == ("mit", ["de"])
    assert {result.dataset_split for result in data.eval_results or ()} == {"test"}


def test_the_model_of_a_scored_run_keeps_its_errors_on_dev_whatever_it_scores_on_test(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    line = Line()
    config = run_config({"training.epochs": 1, "datasets.corpus.limit": {"dev": 10, "test": 20}})
    worker = worker_on(line, config)
    spec = TrialSpec("0000", {}, tmp_path / "run")
    worker.do(TrainJob(spec))
    worker.do(ScoreJob(spec, export=tmp_path / "best", dev={}))
    [reported, _] = line.sent
    assert isinstance(reported, Reported)
    errors, dev = read_errors(tmp_path / "best"), reported.report.dev
    assert {name: found.rows for name, found in errors.items()} == {"intent": 10, "slots": 10}
    assert errors["intent"].wrong == round(10 * (1 - dev["intent"]["accuracy"]))


def test_values_that_do_not_go_together_fail_the_trial(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    line = Line()
    overrides = {"tasks.slots.crf": True, "tasks.slots.subwords": "all"}
    spec = TrialSpec("0000", overrides, tmp_path)
    worker_on(line, run_config({})).do(TrainJob(spec))
    [failed] = line.reported
    assert isinstance(failed, Failed)
    assert failed.error.startswith("ConfigError: run: tasks.slots.crf: a CRF runs over words;")


@pytest.mark.parametrize(
    ("budget", "decisions", "epochs"),
    [(None, (), 3), (2, (), 2), (9, (), 3), (None, (GoOn(), Stop()), 2), (2, (Stop(),), 1)],
    ids=["recipe", "budget", "large budget", "stopped", "stopped before its budget"],
)
def test_a_run_ends_with_its_budget_or_when_it_is_stopped(
    run_config: RunConfigFactory,
    tmp_path: Path,
    budget: int | None,
    decisions: tuple[Decision, ...],
    epochs: int,
) -> None:
    line = Line(*decisions)
    worker = worker_on(line, run_config({"training.epochs": 3}))
    worker.do(TrainJob(TrialSpec("alone/intent", {}, tmp_path, epochs=budget)))
    reports = [message for message in line.sent if isinstance(message, Reported)]
    assert [message.report.epoch for message in reports] == list(range(1, epochs + 1))
    is_done = Stop() not in decisions
    assert [message.is_last for message in reports] == [*([False] * (epochs - 1)), is_done]


def test_reports_that_were_passed_on_are_not_sent_again(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    line = Line()
    worker = worker_on(line, run_config({"training.epochs": 2}))
    worker.do(TrainJob(TrialSpec("0000", {}, tmp_path), delivered=1))
    [message] = line.sent
    assert isinstance(message, Reported)
    assert (message.report.epoch, message.is_last) == (2, True)


def test_reports_within_epochs_are_counted_by_their_numbers(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    line = Line()
    config = run_config({"training.epochs": 2, "training.reports_per_epoch": 2})
    spec = TrialSpec("0000", {}, tmp_path, epochs=1)
    worker_on(line, config).do(TrainJob(spec, delivered=1))
    [message] = line.sent
    assert isinstance(message, Reported)
    # Budgets are epochs.
    assert (message.report.number, message.report.progress, message.is_last) == (2, 1.0, True)


def without_times(message: Message) -> Report:
    assert isinstance(message, Reported)
    return timeless(message.report)


@pytest.mark.parametrize("file", ["state.pt", "best.safetensors"])
def test_a_trial_with_a_damaged_checkpoint_reports_on_as_if_nothing_had_been(
    run_config: RunConfigFactory, tmp_path: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole, before, after = Line(), Line(GoOn(), Stop()), Line()
    config = run_config({"training.epochs": 3})
    worker_on(whole, config).do(TrainJob(TrialSpec("0000", {}, tmp_path / "whole")))
    spec = TrialSpec("0000", {}, tmp_path / "run")
    worker_on(before, config).do(TrainJob(spec))
    assert len(before.sent) == 2
    (tmp_path / "run" / file).write_bytes(b"damaged")
    worker_on(after, config).do(TrainJob(spec, delivered=2))
    # Those of the epochs that were trained again have been heard of.
    assert list(map(without_times, after.sent)) == list(map(without_times, whole.sent[2:]))
    best = "best.safetensors"
    assert (tmp_path / "run" / best).read_bytes() == (tmp_path / "whole" / best).read_bytes()
    [line] = caplog.messages
    assert line.startswith(f"{tmp_path / 'run'}: {file} ")


def test_the_best_model_is_trained_again_where_its_weights_are_damaged(
    run_config: RunConfigFactory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    line, spec = Line(), TrialSpec("0000", {}, tmp_path / "run")
    worker = worker_on(line, run_config())
    worker.do(TrainJob(spec))
    assert isinstance(line.sent[-1], Reported)
    number = line.sent[-1].report.best_number
    for name in ("before", "after"):
        worker.do(ScoreJob(spec, export=tmp_path / name, dev={}, number=number))
        (tmp_path / "run" / "state.pt").unlink()
        (tmp_path / "run" / "best.safetensors").write_bytes(b"damaged")
    assert line.sent[-1] == line.sent[-2]
    for file in ("model.safetensors", "heads.safetensors"):
        assert (tmp_path / "before" / file).read_bytes() == (tmp_path / "after" / file).read_bytes()
    assert [text for text in caplog.messages if "the run begins anew" in text] == caplog.messages
    assert len(caplog.messages) == 1


def test_a_worker_trains_runs_of_several_studies_each_by_its_own_terms(
    run_config: RunConfigFactory, tmp_path: Path
) -> None:
    both = run_config({"training.epochs": 1}).model_dump(mode="json")
    one = {**both, "tasks": {"intent": both["tasks"]["intent"]}}
    studies = {"": StudyTerms(both, RelativeGain()), "alone/intent": StudyTerms(one, Mean())}
    settings = WorkerSettings(studies, threads=1, memory_growth_bytes=1e12, is_fresh=False)
    line: Any = Line()
    worker = Worker(settings, line, Place.current())
    worker.do(TrainJob(TrialSpec("0000", {}, tmp_path / "a", study=StudyRef("alone/intent"))))
    # Known only now: what the other study is relative to.
    objective = RelativeGain(baselines={"intent": 0.5, "slots": 0.25}).model_dump(mode="json")
    ref = StudyRef(objective=objective)
    worker.do(TrainJob(TrialSpec("0000", {}, tmp_path / "b", study=ref)))
    worker.do(ScoreJob(TrialSpec("0000", {}, tmp_path / "b", study=ref), None, dev={}))
    alone, together, scored = line.sent
    assert list(alone.report.dev) == ["intent"]
    assert alone.report.combined == alone.report.dev["intent"]["accuracy"]
    for dev, combined in (
        (together.report.dev, together.report.combined),
        (scored.scores, scored.scores["combined"]),
    ):
        gains = dev["intent"]["accuracy"] / 0.5 - 1, dev["slots"]["f1"] / 0.25 - 1
        assert combined == pytest.approx(sum(gains) / 2)
