"""Where trials stand, for TensorBoard: on the front, chosen, within the limits; each 1 or 0."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from tensorboard.compat.proto.summary_pb2 import Summary

from tuning.goals import Goal
from tuning.records import TrialRecord
from tuning.watch.tensorboard import VERSION, append_events, event_of, new_name
from tuning.watch.watcher import Watcher


def front_tags(goal: Goal) -> list[str]:
    """Returns the tags that a `FrontBoard` writes; none for one objective without limits."""
    several = ["goal/front", "goal/chosen"] if goal.tasks else []
    return several + (["goal/feasible"] if goal.limits else [])


class FrontBoard(Watcher):
    """Adds a point to the curves of every trial whose standing changes when a trial ends.

    The HPARAMS table shows the last, and by two of its scores the front as a picture. In files of
    its own: what a trial reported is not touched after it ended.
    """

    def __init__(self, folder: Path, records: Iterable[TrialRecord], goal: Goal) -> None:
        """Begins with the trials that are there; writes nothing yet.

        Args:
            folder: The `tensorboard` folder of the study.
            records: The trials of earlier sessions.
            goal: By what trials are compared.
        """
        self._folder = folder
        self._goal = goal
        self._ended = {record.id: record for record in records if record.has_ended}
        self._files: dict[str, Path] = {}
        self._shown: dict[str, Mapping[str, float]] = {}

    def ended(self, record: TrialRecord) -> None:
        """Notes the trial, and writes what has changed."""
        if not record.is_trial:
            return
        self._ended[record.id] = record
        self.close()

    def close(self) -> None:
        """Writes what has changed."""
        for run_id, found in self._standing().items():
            if self._shown.get(run_id) == found:
                continue
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in found.items()]
            event = event_of(Summary(value=values), step=len(self._ended)).SerializeToString()
            if run_id in self._files:
                append_events(self._files[run_id], [event])
            else:
                path = self._folder / run_id / new_name()
                append_events(path, [VERSION, event])
                self._files[run_id] = path
            self._shown[run_id] = found

    def _standing(self) -> dict[str, Mapping[str, float]]:
        goal, ended = self._goal, list(self._ended.values())
        front, chosen = goal.front(ended), goal.best(ended)
        return {
            record.id: {
                tag: float(value)
                for tag, value in {
                    "goal/front": record in front,
                    "goal/chosen": record is chosen,
                    "goal/feasible": goal.missed(record) == 0,
                }.items()
                if tag in front_tags(goal)
            }
            for record in ended
            if record.best is not None
        }
