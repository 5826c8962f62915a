"""Warm trainers on a local Ray, driven through the pool as the study drives them."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import ray
from conftest import RunConfigFactory
from times import timeless

from mtl_core.training.objectives.mean import Mean
from mtl_core.training.report import Report
from tuning.cluster.connection import cluster
from tuning.cluster.resources import Resources
from tuning.records import run_id_of
from tuning.trainers.messages import Failed, Message, Reported, TrainJob, TrialSpec
from tuning.trainers.trainers import Trainers, start_trainers
from tuning.trainers.worker import StudyTerms, WorkerSettings

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    # Ray warns of itself, and would end its trainers over it.
    pytest.mark.filterwarnings("ignore:::ray"),
]

_MESSAGE_SECONDS = 600
_HANG_SECONDS = 30
_RECIPES: list[dict[str, object]] = [
    {"optimizer.encoder_lr": 1e-3},
    {"freezing": {"kind": "lower_layers", "layers": 2}},
    {"weighting": {"kind": "uncertainty"}},
    {"freezing": {"kind": "encoder"}, "training.batch_size": 8},
    {"seed": 3},
    {"optimizer.encoder_lr": 1e30, "optimizer.clip_norm": None},  # ends with a loss that is NaN
]

StartTrainers = Callable[..., AbstractContextManager["Bench"]]


class Bench:
    """One trainer and the trials that it is given."""

    def __init__(self, trainers: Trainers, folder: Path) -> None:
        self.folder = folder
        self.trainers = trainers
        self._pool = trainers.pool
        self._count = 0
        self._received: Counter[str] = Counter()

    def submit(self, overrides: dict[str, object]) -> str:
        run_id, self._count = run_id_of(self._count), self._count + 1
        job = TrainJob(TrialSpec(run_id, overrides, self.folder / run_id))
        ray.get(self._pool.submit.remote(job))
        return run_id

    def next_message(self, run_id: str) -> Message:
        asked = self._pool.message.remote(run_id, self._received[run_id])
        self._received[run_id] += 1
        return ray.get(asked, timeout=_MESSAGE_SECONDS)

    def rest(self, run_id: str) -> list[Report | Failed]:
        """What still comes from a trial: its reports without times, or how it failed."""
        message = self.next_message(run_id)
        if isinstance(message, Failed):
            return [message]
        assert isinstance(message, Reported)
        report = timeless(message.report)
        return [report] if message.is_last else [report, *self.rest(run_id)]

    def train(self, overrides: dict[str, object]) -> list[Report | Failed]:
        return self.rest(self.submit(overrides))

    def wait_until_idle(self) -> None:
        """Waits until the trainer has asked for its next job."""
        while ray.get(self._pool.statuses.remote())[0].job is not None:
            time.sleep(0.1)

    def starts(self) -> int:
        """How often the trainer's workers have started."""
        return ray.get(self._pool.starts.remote(0))


@pytest.fixture(scope="module", autouse=True)
def local_ray() -> Iterator[None]:
    # One for `bench`, which lives as long as the tests, and two for a trainer beside it.
    with cluster(None, num_cpus=3, verbose=False, tell=print) as connected:
        connected()
        yield


@pytest.fixture(scope="module")
def start(run_config: RunConfigFactory, tmp_path_factory: pytest.TempPathFactory) -> StartTrainers:
    @contextmanager
    def start(
        *, workers: int = 1, report_timeout_s: float | None = None, **settings: object
    ) -> Iterator[Bench]:
        folder = tmp_path_factory.mktemp("trainers")
        worker = WorkerSettings(
            {"": StudyTerms(run_config({"training.epochs": 1}).model_dump(mode="json"), Mean())},
            threads=1,
            memory_growth_bytes=2 * 2**30,
            is_fresh=False,
        )
        with start_trainers(
            replace(worker, **settings),
            Resources(workers=workers),
            max_attempts=2,
            count=1,
            scratch=folder / "scratch",
            report_timeout_s=report_timeout_s,
        ) as trainers:
            yield Bench(trainers, folder)

    return start


@pytest.fixture(scope="module")
def bench(start: StartTrainers) -> Iterator[Bench]:
    with start() as bench:
        yield bench


def workers() -> list[psutil.Process]:
    """The living workers of this process's Ray."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "RayTrainWorker" in child.name():
                found.append(child)
    return found


def worker() -> psutil.Process:
    return all_workers(1)[0]


def all_workers(
    count: int, besides: Collection[psutil.Process] = frozenset()
) -> list[psutil.Process]:
    """The workers, when there are as many."""
    deadline = time.monotonic() + _MESSAGE_SECONDS
    while len(found := [one for one in workers() if one not in besides]) != count:
        assert time.monotonic() < deadline, f"there are {len(found)} workers"
        time.sleep(0.1)
    return found


@dataclass(frozen=True)
class History:
    """What a hundred trials of one worker left: the reports, and its memory after each."""

    reports: list[list[Report | Failed]]
    memory: list[int]


@pytest.fixture(scope="module")
def history(bench: Bench) -> History:
    history = History([], [])
    for number in range(101):
        recipe = _RECIPES[number % len(_RECIPES)] if number % 50 else {}
        history.reports.append(bench.train(recipe))
        history.memory.append(worker().memory_info().rss)
    return history


def test_a_trial_gives_the_same_numbers_first_fiftieth_and_hundredth(history: History) -> None:
    first = history.reports[0]
    assert isinstance(first[0], Report)
    assert first == history.reports[50] == history.reports[100]
    assert len({str(reports) for reports in history.reports}) == len(_RECIPES) + 1


def test_memory_stays_flat(history: History) -> None:
    assert history.memory[100] <= 1.1 * history.memory[10]


def test_a_failed_trial_says_why_and_the_worker_lives_on(bench: Bench) -> None:
    before = worker().pid
    (failure,) = bench.train(_RECIPES[-1])
    assert isinstance(failure, Failed)
    assert failure.error.startswith("TrainingError: ")
    (report,) = bench.train({})
    assert isinstance(report, Report)
    assert worker().pid == before


def test_a_worker_that_died_idle_loses_no_trial(bench: Bench) -> None:
    expected = bench.train({})
    bench.wait_until_idle()
    worker().kill()
    assert [bench.train({}), bench.train({})] == [expected, expected]


def test_a_killed_trial_goes_on_from_its_checkpoint(bench: Bench) -> None:
    undisturbed = bench.train({"training.epochs": 4})
    run_id = bench.submit({"training.epochs": 4})
    first, second = bench.next_message(run_id), bench.next_message(run_id)
    worker().kill()
    rest = bench.rest(run_id)
    assert [message.report.epoch for message in (first, second)] == [1, 2]
    assert rest == undisturbed[2:]


def test_a_trial_that_kills_its_worker_fails_at_last(bench: Bench) -> None:
    run_id = bench.submit({"training.epochs": 1000})
    for _ in range(2):
        bench.next_message(run_id)
        worker().kill()
    failures = [m for m in bench.rest(run_id) if isinstance(m, Failed)]
    assert failures == [Failed("its worker died 2 times")]
    assert len(bench.train({})) == 1


def test_what_is_no_trial_gives_the_numbers_of_a_trial(bench: Bench) -> None:
    expected = bench.train({"training.epochs": 2})
    jobs = [
        TrainJob(TrialSpec(run_id, {"training.epochs": 2}, bench.folder / run_id))
        for run_id in ("alone/intent", "final/0000/seed-0")
    ]
    found: dict[str, list[Report]] = {job.spec.id: [] for job in jobs}
    for run_id, message in bench.trainers.run(jobs):
        assert isinstance(message, Reported)
        found[run_id].append(timeless(message.report))
    assert list(found.values()) == [expected, expected]


def test_recycled_workers_lose_no_trial(start: StartTrainers) -> None:
    """Those that have grown; `test_worker.py` has the other reason to start anew."""
    with start(memory_growth_bytes=1) as bench:
        # Heads alone take the least memory, so the second trial makes the worker grow.
        run_ids = [
            bench.submit({"freezing": {"kind": kind}}) for kind in ("encoder", "none", "none")
        ]
        for run_id in run_ids:
            assert isinstance(bench.rest(run_id)[-1], Report)
        assert bench.starts() >= 2


def test_a_worker_that_hangs_is_replaced_and_its_trial_has_failed(
    bench: Bench, start: StartTrainers
) -> None:
    bench.train({})  # Its worker is there now, whatever was done to the one before.
    others = all_workers(1)
    # The limit is for a trial whose data are encoded; more than that takes only a busy machine.
    with start(workers=2, report_timeout_s=_HANG_SECONDS) as bench:
        [first] = bench.train({})
        assert isinstance(first, Report)
        run_id = bench.submit({"training.epochs": 1000})
        bench.next_message(run_id)
        before = all_workers(2, others)
        # One of two: the other one waits for it in a step, and neither of them reports.
        before[1].suspend()
        hung = f"no report for {_HANG_SECONDS} s (study.report_timeout_s); its worker was replaced"
        assert bench.rest(run_id)[-1] == Failed(hung)
        assert bench.train({}) == [first]
        assert not set(before) & set(all_workers(2, others))
