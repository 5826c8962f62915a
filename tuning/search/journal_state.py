"""What the lines of a journal have made so far: by it the next line is judged."""

from dataclasses import dataclass, field

from optuna.distributions import BaseDistribution

RUNNING, COMPLETE, WAITING = 0, 1, 4
"""Numbers of states of trials; those between have ended otherwise."""


class JournalFormError(Exception):
    """A journal has not the known form; the text says where it differs."""


@dataclass(slots=True)
class TrialState:
    """A trial, as far as the lines tell of it: its state, what was drawn, what was reported."""

    state: int
    parameters: set[str] = field(default_factory=set)
    steps: set[int] = field(default_factory=set)


@dataclass(slots=True)
class JournalState:
    """The study that the lines so far have made; without an objective there is none yet."""

    num_objectives: int = 0
    trials: list[TrialState] = field(default_factory=list)
    distributions: dict[str, BaseDistribution] = field(default_factory=dict)

    @property
    def is_there(self) -> bool:
        """Whether the study was begun."""
        return self.num_objectives > 0

    def trial(self, number: int, state: int = RUNNING) -> TrialState:
        """Returns a trial that is in a state.

        Raises:
            JournalFormError: It was not begun, or is in another state.
        """
        if number >= len(self.trials):
            raise JournalFormError(f"trial {number} was not begun; lines before it are missing")
        trial = self.trials[number]
        if trial.state != state:
            found = (
                "waits" if trial.state == WAITING else "runs" if not trial.state else "has ended"
            )
            raise JournalFormError(f"trial {number} {found}; lines before it are missing")
        return trial
