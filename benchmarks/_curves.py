"""A table of learning curves: the study that they are of, its recipes, and the file they lie in."""

import dataclasses
import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter
from scipy.stats import qmc

from tuning.space.space import Entry, Space

TABLE = Path(__file__).parent / "curves.jsonl.gz"
TASKS = ("intent", "slots")
REPORTS_PER_EPOCH = 10

SEARCH: dict[str, Any] = {
    "optimizer.encoder_lr": {"log_range": [1e-5, 2e-3]},
    "optimizer.head_lr": {"log_range": [1e-4, 2e-2]},
    "optimizer.layer_decay": {"range": [0.6, 1.0]},
    "tasks.slots.weight": {"log_range": [0.2, 5.0]},
    "weighting": {"choice": [{"kind": "fixed"}, {"kind": "uncertainty"}]},
    "freezing": {
        "choice": [
            {"kind": "none"},
            {"kind": "lower_layers", "layers": {"int_range": [1, 5]}},
            {"kind": "encoder"},
        ]
    },
}
"""What is searched; ranges wide enough that both of their ends are bad."""

Role = Literal["drawn", "heads", "repeat"]


@dataclass(frozen=True, slots=True)
class Job:
    """A run that is to be recorded.

    Attributes:
        recipe: Number of the drawn recipe, from 0.
        role: "drawn"; "heads" = the same with the encoder frozen; "repeat" = with another seed.
        seed: Seed of the run.
        parameters: Parameter of the space -> value that was drawn, as Optuna would have it.
        overrides: Dotted key of `run` -> value, as a trial would have it.
    """

    recipe: int
    role: Role
    seed: int
    parameters: dict[str, Any]
    overrides: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Curve:
    """A run that was recorded, a line of the table.

    Attributes:
        job: What was run.
        scores: Task name -> its main score on dev at every report.
        training_s: Seconds of all training steps.
        evaluation_s: Seconds of all evaluations.
        trained: Parameters that trained.
        error: Why the run ended before its last report; "" = it did not.
    """

    job: Job
    scores: dict[str, list[float]]
    training_s: float
    evaluation_s: float
    trained: int
    error: str

    def combined(self) -> np.ndarray:
        """Returns the objective at every report, the mean of the tasks: (reports,)."""
        return np.asarray(np.mean([self.scores[task] for task in TASKS], axis=0))


@dataclass(frozen=True, slots=True)
class Table:
    """What was recorded.

    Attributes:
        about: Data, epochs and machine.
        curves: The runs, in the order in which they ended.
    """

    about: dict[str, Any]
    curves: tuple[Curve, ...]

    @property
    def epochs(self) -> int:
        """Epochs of each run."""
        return int(self.about["epochs"])

    def of(self, role: Role) -> dict[int, list[Curve]]:
        """Returns recipe -> its runs in a role that came to their end, recipes in order."""
        found: dict[int, list[Curve]] = {}
        for curve in sorted(self.curves, key=lambda one: (one.job.recipe, one.job.seed)):
            if curve.job.role == role and not curve.error:
                found.setdefault(curve.job.recipe, []).append(curve)
        return found


def study_space() -> Space:
    """Returns the space that recipes are drawn from."""
    return Space(TypeAdapter(dict[str, Entry]).validate_python(SEARCH))


class _Coordinates:
    """Stands where a sampler draws: gives each parameter its share of the unit cube."""

    def __init__(self, coordinates: Sequence[float]) -> None:
        self._left = iter(coordinates)
        self.params: dict[str, Any] = {}

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        share = next(self._left)
        value = low * (high / low) ** share if log else low + share * (high - low)
        self.params[name] = float(f"{value:.6g}")
        return float(self.params[name])

    def suggest_int(self, name: str, low: int, high: int, **_: Any) -> int:
        self.params[name] = min(high, low + int(next(self._left) * (high - low + 1)))
        return int(self.params[name])

    def suggest_categorical(self, name: str, options: Sequence[Any]) -> Any:
        self.params[name] = options[int(next(self._left) * len(options))]
        return self.params[name]


def recipes(space: Space, *, seed: int = 0) -> Iterator[Job]:
    """Yields recipes without end, evenly over the space (scrambled Sobol points)."""
    points = qmc.Sobol(len(space.parameters), seed=seed)
    # Blocks of powers of two: only these are balanced.
    for block in range(2**10):
        for offset, coordinates in enumerate(points.random(2**7)):
            drawn: Any = _Coordinates(coordinates)
            overrides = space.sample(drawn)
            yield Job(block * 2**7 + offset, "drawn", 0, drawn.params, overrides)


def write_table(path: Path, about: dict[str, Any], curves: Iterable[Curve]) -> None:
    """Writes a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # No time in its head: the same table is the same file.
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(json.dumps(about).encode() + b"\n")
        for curve in curves:
            line = json.dumps(dataclasses.asdict(curve), separators=(",", ":"))
            packed.write(line.encode() + b"\n")


def read_table(path: Path = TABLE) -> Table:
    """Reads a table that `write_table` wrote."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        about = json.loads(next(lines))
        found = [json.loads(line) for line in lines]
    curves = (Curve(**{**one, "job": Job(**one["job"])}) for one in found)
    return Table(about, tuple(curves))
