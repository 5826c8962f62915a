"""How far a study is behind its search, from its folder: its final stage, test, its baselines."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mtl_core.kept import as_kept
from mtl_core.study_file import read_document
from tuning.records import TrialRecord
from tuning.study.finalists import Contest, contest
from tuning.study.finals import Finals, FinalsSection
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.result import Result
from tuning.study.scored import Scoring, read_scoring


@dataclass(frozen=True, slots=True)
class Ending:
    """What is known behind the search of a study that is not finished.

    Attributes:
        scoring: What test has told.
        is_scored: Whether test has told all that was asked for what dev chooses now.
        finals: What the final stage found; None without one, and before `is_scored`.
        baselines: Tasks that are trained alone as well, in the order of the study file.
    """

    scoring: Scoring
    is_scored: bool = False
    finals: Finals | None = None
    baselines: Sequence[str] = ()


def read_ending(folder: StudyFolder, history: History, result: Result, trials: int) -> Ending:
    """Returns how far a study is behind its search.

    Args:
        folder: The study folder.
        history: Its trials.
        result: What its `result.json` holds.
        trials: Trials of the whole study.

    Raises:
        BrokenError: A file in it is broken.
    """
    found = Ending(read_scoring(folder, result), baselines=baselines_asked(folder))
    if not is_searched(folder, result, history, trials):
        return found
    stage = kept_contest(folder, history)
    if stage is None:
        return replace(found, is_scored=_are_scored(history, found.scoring))
    runs = stage.read(folder)
    # Whether settings of decoding are searched is known of the runs: they are on each or on none.
    is_decoded = any(run.decoded is not None for run in runs.values())
    stage = kept_contest(folder, history, is_decoded=is_decoded) or stage
    wanted = stage.to_score(runs) if all(run.has_ended for run in runs.values()) else []
    known = found.scoring.tests.keys()
    if not wanted or not all(known >= {run.id, run.scored_as} for run in wanted):
        return found
    return replace(found, is_scored=True, finals=stage.finals(runs, found.scoring, folder))


def is_searched(folder: StudyFolder, result: Result, history: History, trials: int) -> bool:
    """Returns whether no more trials are to come.

    Args:
        folder: The study folder.
        result: What its `result.json` holds.
        history: Its trials.
        trials: Trials of the whole study.
    """
    # Another limit may have ended it before it had all its trials; one that went on since then has
    # a trial that has not ended.
    ended = len(history.ended)
    is_limited = result.ended_by not in (None, "trials") and ended == len(history)
    # Or test was opened, as it is behind the search, and the result is still to be written.
    is_opened = not result.trials and ended == len(history) and folder.scored.exists()
    return ended >= trials or is_limited or is_opened


def _are_scored(history: History, scoring: Scoring) -> bool:
    """Whether the best trial and the default were scored, as far as they have a score on dev."""
    wanted = [one for one in (history.best, history.default) if one is not None and one.best]
    known = scoring.tests.keys()
    return bool(wanted) and all(
        one.id in known and (one is not history.best or one.scored_as in known) for one in wanted
    )


def kept_contest(
    folder: StudyFolder, history: History, *, is_decoded: bool = False
) -> Contest | None:
    """Returns the final stage that the study file in a folder asks for; None without one.

    Args:
        folder: The study folder.
        history: Its trials.
        is_decoded: Whether settings of decoding are searched; that makes no other runs.

    Raises:
        BrokenError: The study file is broken.
    """
    data = read_document(folder.study).data
    section, run = _part(data, "study").get("finals"), _part(data, "run")
    if section is None:
        return None
    finals = as_kept(
        json.dumps(section).encode(), FinalsSection, where=f"{folder.study}: study.finals",
        remedy="put it back from a copy",
    )  # fmt: skip
    found = contest(history, finals, run, is_decoded=is_decoded)
    return found if found.finalists else None


def runs_of(folder: StudyFolder, history: History) -> Sequence[TrialRecord]:
    """Returns the runs of the final stage of a study whose search is over, as they are."""
    stage = kept_contest(folder, history)
    return list(stage.read(folder).values()) if stage is not None else ()


def baselines_asked(folder: StudyFolder) -> tuple[str, ...]:
    """Returns the tasks of which the study file in a folder asks for baselines."""
    # As it was written, without the schema, which imports torch. The driver writes it resolved.
    data = read_document(folder.study).data
    if _part(_part(data, "study"), "baselines").get("kind", "none") == "none":
        return ()
    tasks = _part(_part(data, "run"), "tasks")
    return tuple(name for name in tasks if not _part(tasks, name).get("auxiliary"))


def _part(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = data.get(key)
    return found if isinstance(found, Mapping) else {}
