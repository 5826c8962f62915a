"""Settings of decoding are searched when a run ends, and where a finished run is scored."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import RunConfigFactory
from pydantic import TypeAdapter
from times import all_timeless

from mtl_core.config import RunConfig
from mtl_core.predictor import Predictor
from mtl_core.study_file import read_document
from mtl_core.training.decoded import Decoded, Tried
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import evaluate
from mtl_core.training.objectives.mean import Mean
from mtl_core.training.report import Report
from mtl_core.validation import validate
from tuning.search.decoding import SpaceProposer
from tuning.space.entries import Entry
from tuning.trainers.decisions import Decision, GoOn, Stop
from tuning.trainers.messages import Message, Reported, Scored, ScoreJob, TrainJob, TrialSpec
from tuning.trainers.worker import StudyTerms, Worker, WorkerSettings

KEY = "tasks.topics.thresholds"
SEARCH = {KEY: {"choice": ["each", "shared"]}}


class Line:
    """A channel without a pool: what goes through it, and what its pool decides."""

    def __init__(self, *decisions: Decision) -> None:
        self.sent: list[Message] = []
        self._decisions = list(decisions)

    def send(self, message: Message) -> Decision:
        self.sent.append(message)
        return self._decisions.pop(0) if self._decisions else GoOn()

    def tell(self, progress: object) -> None:
        """Has no pool to tell."""

    def report(self, message: Message) -> Decision:
        raise AssertionError(message)


@pytest.fixture(scope="module")
def config(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    """A run with topics that are hardly ever predicted, as their threshold is high."""
    rows = [
        {"text": f"play {n} songs by band {n % 5}", "topics": ["even", "third"][n % 2 : 2 - n % 3]}
        for n in range(24)
    ]
    path = tmp_path_factory.mktemp("topics") / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    splits = dict.fromkeys(("train", "dev", "test"), str(path))
    topics = {"kind": "multilabel", "dataset": "rows", "column": "topics", "thresholds": 0.999}
    return run_config({"datasets": {"rows": {"kind": "jsonl", "splits": splits}},
                       "tasks": {"topics": topics}})  # fmt: skip


def worker(line: Line, config: RunConfig, search: dict[str, Any] = SEARCH) -> Worker:
    entries = TypeAdapter(dict[str, Entry]).validate_python(search)
    proposer = SpaceProposer(entries, own={}, tries=8) if search else None
    settings = WorkerSettings(
        {"": StudyTerms(config.model_dump(mode="json"), Mean(), decoding=proposer)}, threads=1,
        memory_growth_bytes=1e12, is_fresh=False,
    )  # fmt: skip
    return Worker(settings, line, Place.current())  # type: ignore[arg-type]


def reports_of(line: Line) -> list[Report]:
    return [message.report for message in line.sent if isinstance(message, Reported)]


def found_in(reports: Sequence[Report]) -> Decoded:
    [*_, last] = reports
    assert last.decoded is not None
    return last.decoded


def test_the_last_report_of_a_run_has_what_was_found(config: RunConfig, tmp_path: Path) -> None:
    with_search, without = Line(), Line()
    worker(with_search, config).do(TrainJob(TrialSpec("0000", {}, tmp_path / "a")))
    worker(without, config, {}).do(TrainJob(TrialSpec("0000", {}, tmp_path / "b")))
    first, last = reports_of(with_search)
    found = found_in([first, last])
    assert first.decoded is None
    assert found.number == last.best_number
    assert found.taken is not None
    assert found.taken.settings[KEY] in ("each", "shared")
    assert found.taken.combined > last.best_combined
    # All else is as if nothing had been searched.
    plain = [replace(one, decoded=None) for one in all_timeless([first, last])]
    assert plain == all_timeless(reports_of(without))
    # As a file keeps it.
    assert Report.from_json(last.to_json()) == last


def test_a_run_that_is_stopped_is_not_searched(config: RunConfig, tmp_path: Path) -> None:
    line = Line(Stop())
    worker(line, config).do(TrainJob(TrialSpec("0000", {}, tmp_path)))
    assert [one.decoded for one in reports_of(line)] == [None]


def test_a_run_whose_driver_was_killed_at_its_end_finds_the_same_again(
    config: RunConfig, tmp_path: Path
) -> None:
    job = TrainJob(TrialSpec("0000", {}, tmp_path))
    before, after = Line(), Line()
    worker(before, config).do(job)
    worker(after, config).do(replace(job, delivered=1))
    first, again = found_in(reports_of(before)), found_in(reports_of(after))
    assert replace(again, seconds=0.0) == replace(first, seconds=0.0)


def test_what_was_best_on_other_models_is_tried_first(config: RunConfig, tmp_path: Path) -> None:
    line, known = Line(), (Tried({KEY: "shared"}, 0.5), Tried({KEY: "each"}, -0.5))
    worker(line, config).do(TrainJob(TrialSpec("0000", {}, tmp_path, known=known)))
    assert found_in(reports_of(line)).tried[0].point == {KEY: "shared"}


def test_a_trial_whose_evaluations_take_too_long_is_not_searched(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best model of all is; and so is the one of a run of a final stage."""

    def slowly(*args: Any, **more: Any) -> Any:
        time.sleep(0.3)
        return evaluate(*args, **more)

    monkeypatch.setattr("mtl_core.training.run.evaluate", slowly)
    monkeypatch.setattr("tuning.trainers.worker._LEAST_DECODING_S", 0.01)
    line = Line()
    one = worker(line, config)
    one.do(TrainJob(TrialSpec("0000", {}, tmp_path / "0000")))
    [*_, last] = reports_of(line)
    assert last.decoded is None
    assert 0.3 <= last.evaluation_seconds < last.seconds
    one.do(TrainJob(TrialSpec("final/0000/seed-1", {}, tmp_path / "final", least_tries=1)))
    assert len(found_in(reports_of(line)).tried) == 1


def test_a_model_is_saved_and_scored_as_it_was_decoded(config: RunConfig, tmp_path: Path) -> None:
    line = Line()
    one = worker(line, config)
    spec = TrialSpec("0000", {}, tmp_path / "run")
    one.do(TrainJob(spec))
    taken = found_in(reports_of(line)).taken
    assert taken is not None
    one.do(ScoreJob(spec, export=tmp_path / "model", dev={}, decoding=taken.settings))
    scored = line.sent[-1]
    assert isinstance(scored, Scored)
    # Test has the rows of dev here.
    assert scored.scores is not None
    assert scored.scores["combined"] == taken.combined
    assert scored.own is not None
    assert scored.own["combined"] == max(one.combined for one in reports_of(line))
    saved = validate(read_document(tmp_path / "model" / "run.yaml"), RunConfig)
    assert saved.tasks["topics"] == validate_task(config, taken.settings[KEY])
    head = Predictor.load(tmp_path / "model").model.head("topics")
    assert 0.999 > head.get_buffer("thresholds").max() > 0


def validate_task(config: RunConfig, thresholds: object) -> object:
    task = config.tasks["topics"]
    return type(task).model_validate(task.model_dump() | {"thresholds": thresholds})


def test_a_finished_run_is_searched_where_it_is_scored(config: RunConfig, tmp_path: Path) -> None:
    trained, later = Line(), Line()
    spec = TrialSpec("0000", {}, tmp_path / "run")
    worker(trained, config).do(TrainJob(spec))
    reports = reports_of(trained)
    expected, best = found_in(reports), reports[-1].best_number
    (tmp_path / "run" / "state.pt").unlink()  # of a run that has ended
    job = ScoreJob(
        spec, export=tmp_path / "model", dev={"combined": reports[best - 1].combined},
        number=best, search_s=60.0,
    )  # fmt: skip
    worker(later, config).do(job)
    [scored] = later.sent
    assert isinstance(scored, Scored)
    assert scored.decoded is not None
    assert replace(scored.decoded, seconds=0.0) == replace(expected, seconds=0.0)
    assert scored.own is not None
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert expected.taken is not None
    assert f"{100 * expected.taken.combined:.2f}" in card
