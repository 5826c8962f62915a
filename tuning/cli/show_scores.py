"""What `mtl evaluate` prints: scores as a table or as JSON; imports neither Ray nor Optuna."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from mtl_core.printable import printable_json
from mtl_core.scores import ScoreTree, flatten, only_finite, show_score
from mtl_core.task_errors import Errors
from tuning.records import keys_of_all
from tuning.report.errors import AS_READ, error_parts
from tuning.watch.console import plain_console

if TYPE_CHECKING:
    from mtl_core.training.evaluation import Evaluation


def show_evaluation(evaluation: "Evaluation", what: str) -> None:
    """Prints the scores of a model; `what` is the split, or "file"."""
    table = Table("task", "score", f"{what}, %")
    for task, scores in evaluation.scores.items():
        for name, value in scores.items():
            table.add_row(task, name, show_score(name, value))
    joint = show_score("joint_accuracy", evaluation.joint_accuracy)
    table.add_row("all", "joint_accuracy", joint)
    console = plain_console()
    console.print(table)
    console.print(f"{evaluation.rows:,} rows")


def show_errors(errors: Errors) -> None:
    """Prints where a model errs, in Markdown, as a report has it."""
    told = [*error_parts(errors), AS_READ] if errors else ["No task tells of its errors."]
    plain_console().print("\n" + "\n\n".join(told), soft_wrap=True)


def evaluation_json(evaluation: "Evaluation", what: str, errors: Errors | None = None) -> str:
    """Returns the scores of a model as JSON, as they are, not in %; null where there is none.

    Args:
        evaluation: The scores.
        what: The split, or "file".
        errors: Where it errs; None = that was not asked for.
    """
    plain = {
        "split": what,
        "rows": evaluation.rows,
        "scores": evaluation.scores,
        "joint_accuracy": evaluation.joint_accuracy,
    }
    if errors is not None:
        plain |= {"errors": {task: asdict(found) for task, found in errors.items()}}
    return _json(plain)


def show_trials(trials: Mapping[str, ScoreTree], split: str) -> None:
    """Prints the scores of trials, in their order and not by rank."""
    flat = {run_id: flatten(scores) for run_id, scores in trials.items()}
    names = keys_of_all(flat.values())
    console = plain_console()
    table = Table(f"{split}, %", *trials)
    for name in names:
        table.add_row(name, *(show_score(name, scores.get(name)) for scores in flat.values()))
    console.print(table)


def trials_json(trials: Mapping[str, ScoreTree], split: str) -> str:
    """Returns the scores of trials as JSON; null where there is none."""
    return _json({"split": split, "trials": dict(trials)})


def _json(content: object) -> str:
    text = json.dumps(only_finite(content), ensure_ascii=False, indent=2, allow_nan=False)
    return printable_json(text)
