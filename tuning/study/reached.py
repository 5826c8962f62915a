"""What a study reached, as `result.json` holds it: the front, the chosen trial, the limits."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from mtl_core.number_types import KEPT
from tuning.goals import Goal
from tuning.records import Value
from tuning.study.history import History


@dataclass(frozen=True, slots=True)
class FrontTrial:
    """A trial that no other beats in all objectives.

    Attributes:
        trial: Its id.
        scores: Task -> main score on dev, at its best report.
        parameters: Dotted key of `run` -> value in effect.
    """

    __pydantic_config__ = KEPT

    trial: str
    scores: Mapping[str, float]
    parameters: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Reached:
    """What was reached; of a study of one objective without limits there is little to say.

    Attributes:
        objective: Kind of the objective; `combined` in all scores is its value.
        aim: By what trials were compared.
        front: The trials of the front, the oldest first.
        chosen: Id of the trial that is chosen, the best; None without any score.
        lacks: By how much its scores lie below the floors, summed up; 0 = it holds them.
        measured: Run id -> what is limited -> what the trial has of it.
        missed: Run id -> what is limited -> by what share of the limit the trial misses it; only
            trials that miss one.
    """

    __pydantic_config__ = KEPT

    objective: str = ""
    aim: Goal = field(default_factory=Goal)
    front: tuple[FrontTrial, ...] = ()
    chosen: str | None = None
    lacks: float = 0.0
    measured: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    missed: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Returns what `result.json` holds."""
        return asdict(self)


def reached(history: History, objective: str, *, so_far: bool = False) -> Reached:
    """Returns what a study reached.

    Args:
        history: Its trials.
        objective: Kind of its objective.
        so_far: Whether trials count that have not ended, since it still runs.
    """
    goal = history.goal
    best = history.best_so_far if so_far else history.best
    front = goal.front(history) if so_far else history.front
    missed = {
        record.id: {name: share for name, share in found.items() if share > 0}
        for record in history
        if (found := goal.violations(record.reports))
    }
    return Reached(
        objective=objective,
        aim=goal,
        front=tuple(
            FrontTrial(
                record.id,
                dict(zip(goal.tasks, goal.values(record.best), strict=True)),
                record.parameters,
            )
            for record in front
            if record.best is not None
        ),
        chosen=best.id if best is not None else None,
        lacks=goal.lacks(best) if best is not None else 0.0,
        measured={
            record.id: found for record in history if (found := goal.measured(record.reports))
        },
        missed={run_id: found for run_id, found in missed.items() if found},
    )
