"""`report.md` as text: what was found and how far to trust it."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from mtl_core.markdown import code, plain
from mtl_core.samples import NO_SAMPLES, Samples, samples_table
from mtl_core.scores import flatten, main_scores, show_difference, show_score
from mtl_core.task_errors import NO_ERRORS, Errors
from mtl_core.training.report import epochs_text
from tuning.records import ENDED, Status, TrialRecord, keys_of_all
from tuning.report.data import data_section
from tuning.report.decoding import decoding_section
from tuning.report.errors import errors_section
from tuning.report.finals import finals_section
from tuning.report.front import front_section, limit_section
from tuning.report.gains import gains_section
from tuning.report.headline import headline
from tuning.report.importance import LEAST_TRIALS, Importance, Share
from tuning.report.known import FROM_NOTHING, Beforehand, known_section
from tuning.report.lineage import lineage_section, replay_note
from tuning.report.markdown import parameter_cell, shell, table
from tuning.report.meaning import meaning_of_scores
from tuning.report.setup import NO_SETUP, Setup, setup_section, training_section
from tuning.report.sharing import sharing_section
from tuning.report.spent import spent_section
from tuning.report.summary import StudySummary
from tuning.study.final_scores import FinalScores
from tuning.study.gains import differences_of
from tuning.study.openings import Opening
from tuning.study.reached import Reached
from tuning.study.result import Result
from tuning.study.sharing import sharing_of

_ON_SAMPLE = (
    "`~` = on a sample of dev, as the trial ended within its first epoch: not to be compared with "
    "scores on all of dev, and behind them whatever the number."
)


_WORST = 5
"""Rows of each task that the text shows of those that the best model gets wrong."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report with a heading of its own.

    Attributes:
        key: What it is known by: figures are put to it by this, and links lead to it.
        parts: Markdown, the heading first; none = there is nothing to say.
    """

    key: str
    parts: Sequence[str]


def render_report(
    summary: StudySummary,
    openings: Sequence[Opening] = (),
    beforehand: Beforehand = FROM_NOTHING,
    samples: Samples = NO_SAMPLES,
    setup: Setup = NO_SETUP,
    errors: Errors = NO_ERRORS,
) -> str:
    """Returns the text of `report.md`: Markdown without HTML, scores in percent.

    The same summary gives the same text, so a report that is written anew can be compared.

    Args:
        summary: What it shows.
        openings: When test was opened for more trials than best and default.
        beforehand: What was known before the first trial.
        samples: What the best model writes for rows of dev.
        setup: What the study ran with, see `read_setup`.
        errors: Where the best model errs on dev.
    """
    return text_of(report_sections(summary, openings, beforehand, samples, setup, errors))


def text_of(sections: Sequence[Section]) -> str:
    """Returns sections as one text."""
    return "\n\n".join(part for section in sections for part in section.parts) + "\n"


def report_sections(
    summary: StudySummary,
    openings: Sequence[Opening] = (),
    beforehand: Beforehand = FROM_NOTHING,
    samples: Samples = NO_SAMPLES,
    setup: Setup = NO_SETUP,
    errors: Errors = NO_ERRORS,
) -> list[Section]:
    """Returns all that a report says, in order, of what `render_report` takes."""
    best = summary.result.best
    # Or all but the baselines is known: nothing of this changes any more.
    is_settled = summary.unfinished is None or summary.unfinished.is_scored
    ranked = summary.result.goal.aim.ranked(summary.records)
    sections = {
        "verdict": [f"# Study {plain(summary.name)}", *headline(summary, openings)],
        "recipe": _recipe_parts(summary, so_far="" if is_settled else " so far"),
        "training": training_section(setup.training),
        "scores": _score_section(summary.result),
        "gains": gains_section(summary.result.baselines),
        "decoding": decoding_section(best, summary.records),
        "front": front_section(summary.result.goal),
        "limits": limit_section(summary.result),
        # Of an unfinished study the model that lies there may be of an earlier best trial.
        "samples": _samples_section(samples) if is_settled else [],
        "progress": spent_section(summary.records, summary.result.behind),
        "errors": errors_section(errors, worst=_WORST) if is_settled else [],
        "data": ["## Data", *data_section(summary.data)] if summary.data else [],
        "beforehand": known_section(beforehand),
        "statuses": ["## Trials by status", _status_table(summary.records)],
        "trials": ["## Trials, best first", _trial_table(ranked, summary.result.goal)],
        "lineage": lineage_section(summary.records),
        "importance": _importance_section(summary.importances),
        "sharing": sharing_section(
            sharing_of(summary.records), differences_of(summary.result.baselines)
        ),
        "failures": ["## Failures", _failure_table(summary)],
        "commands": ["## How to go on", *_commands(summary)],
        "setup": setup_section(setup.ran_with),
    }
    return [Section(key, parts) for key, parts in sections.items() if parts]


def _recipe_parts(summary: StudySummary, *, so_far: str) -> list[str]:
    """Returns the recipe beside the default, and the command that trains it again."""
    best, default = summary.result.best, summary.result.default
    if best is None:
        return []
    records = {record.id: record for record in summary.records}
    note = replay_note(records.get(best.trial))
    shown = _recipe_table(best, default)
    return [f"## Best recipe{so_far}", shown, "Replay it:", shell(summary.replay), *note]


def _recipe_table(best: FinalScores, default: FinalScores | None) -> str:
    defaults = default.parameters if default else {}
    rows = [
        [code(name), parameter_cell(best.parameters, name), parameter_cell(defaults, name)]
        # Of a conditional space the two may have different parameters; "-" where one has none.
        for name in keys_of_all([best.parameters, defaults])
    ]
    return table(["parameter", "best", "default"], rows)


def _score_section(result: Result) -> list[str]:
    """Returns the parts of the section; behind a final stage its means are the scores."""
    parts = finals_section(result.finals)
    if not parts and result.best is not None:
        parts = ["## Scores, in percent", _score_table(result.best, result.default)]
    return [*parts, meaning_of_scores(result.goal.objective)] if parts else []


def _score_table(best: FinalScores, default: FinalScores | None) -> str:
    # split -> (scores of the best, of the default), flat; without a trial or a split {}
    names = {"dev": "dev", "test": "test"}
    if best.unseen is not None:
        names["unseen"] = "test, not in train:"
    splits = {
        shown: tuple(
            flatten(getattr(final, name) if final else None, ".") for final in (best, default)
        )
        for name, shown in names.items()
    }
    rows = []
    for name in _main_first(keys_of_all(scores for pair in splits.values() for scores in pair)):
        pairs = [(ours.get(name), theirs.get(name)) for ours, theirs in splits.values()]
        rows.append([code(name), *(cell for pair in pairs for cell in _compare_cells(name, *pair))])
    columns = ("best", "default", "difference")
    return table(["score", *(f"{split} {column}" for split in splits for column in columns)], rows)


def _main_first(names: Sequence[str]) -> list[str]:
    """Returns flat names with the first score of each task, its main one, before all others."""
    main = {name.partition(".")[0]: name for name in reversed(names)}
    return sorted(names, key=lambda name: name != main[name.partition(".")[0]])


def _compare_cells(name: str, ours: float | None, theirs: float | None) -> list[str]:
    difference = None if ours is None or theirs is None else ours - theirs
    shown = [show_score(name, value) for value in (ours, theirs)]
    return [*shown, show_difference(name, difference)]


def _samples_section(samples: Samples) -> list[str]:
    """Returns the parts of the section on what the best model writes; [] where it does not."""
    tables = [
        part
        for task, found in samples.items()
        for part in (f"Of task {code(task)}, on rows of dev:", samples_table(found))
    ]
    return ["## Samples", *tables] if tables else []


def _status_table(records: Sequence[TrialRecord]) -> str:
    counts = Counter(record.status for record in records)
    # Of a finished study nobody wants to read that no trial is interrupted, or paused.
    names = [name for name in get_args(Status) if counts[name] or name in ("running", *ENDED)]
    return table(["status", "trials"], [[name, str(counts[name])] for name in names])


def _trial_table(records: Sequence[TrialRecord], goal: Reached) -> str:
    missing = {run_id: ", ".join(map(code, found)) for run_id, found in goal.missed.items()}
    limits = ["misses"] if goal.aim.limits else []
    parameters = keys_of_all(record.parameters for record in records)
    columns = keys_of_all(_main_scores(record) for record in records)
    header = ["rank", "trial", "status", *limits, "combined", *map(code, [*columns, *parameters])]
    rows = [
        [
            # Failed ones stand last, whatever they scored.
            "-" if record.status == "failed" else str(rank),
            record.id,
            record.status,
            *(missing.get(record.id, "") for _ in limits),
            _combined_cell(record),
            *(show_score(name, _main_scores(record).get(name)) for name in columns),
            *(parameter_cell(record.parameters, name) for name in parameters),
            epochs_text(record.progress),
            f"{record.seconds:.0f}",
        ]
        for rank, record in enumerate(records, start=1)
    ]
    shown = table([*header, "epochs", "seconds"], rows)
    is_noted = any(row[3 + len(limits)].startswith("~") for row in rows)
    return f"{shown}\n\n{_ON_SAMPLE}" if is_noted else shown


def _combined_cell(record: TrialRecord) -> str:
    if record.best is None and record.best_on_sample is not None:
        return f"~{show_score('combined', record.best_on_sample.combined)}"
    return show_score("combined", record.best.combined if record.best else None)


def _main_scores(record: TrialRecord) -> dict[str, float]:
    """Returns "<task>.<score>" -> value of each task's main score."""
    found = main_scores(record.best.dev if record.best else {})
    return {f"{task}.{name}": value for task, (name, value) in found.items()}


def _importance_section(importances: Sequence[Importance]) -> list[str]:
    """Returns a table with a row per parameter, and what its figures are."""
    heading = "## Importance of the parameters"
    if not importances:
        return [heading, f"Not enough trials to tell: under {LEAST_TRIALS} ran to their end."]
    rows = [
        [code(name), *(_share_cell(one.shares.get(name)) for one in importances)]
        for name in keys_of_all(one.shares for one in importances)
    ]
    told = (
        "Share in reaching the best tenth of the scores, in percent, by PED-ANOVA; behind it, in "
        "brackets, two standard deviations on either side, by a bootstrap over the trials."
    )
    return [heading, table(["parameter", *(code(one.score) for one in importances)], rows), told]


def _share_cell(share: Share | None) -> str:
    if share is None:
        return "-"
    return f"{100 * share.share:.0f} ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _failure_table(summary: StudySummary) -> str:
    """Returns a table of the trials, and of the runs of the final stage, that failed."""
    finals = summary.result.finals
    failed = {
        record.id: record.error or "no message"
        for record in summary.records
        if record.status == "failed"
    }
    for recipe in finals.recipes if finals is not None else ():
        failed.update(recipe.failed)
    if not failed:
        return "None."
    # As code: the text comes from anywhere, and may hold what Markdown takes for its own.
    rows = [[run_id, code(error)] for run_id, error in failed.items()]
    return table(["trial or run", "error"], rows)


def _commands(summary: StudySummary) -> list[str]:
    board = shlex.join(["tensorboard", "--logdir", f"{summary.folder}/tensorboard"])
    return ["See every trial in TensorBoard:", shell(board)]
