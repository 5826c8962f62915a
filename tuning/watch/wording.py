"""How trials, times and speeds are written on the terminal and in lines of text."""

from collections.abc import Sequence

from mtl_core.scores import main_scores
from mtl_core.training.report import epochs_text
from tuning.goals import Goal
from tuning.records import TrialRecord, called
from tuning.trainers.messages import TrainerStatus
from tuning.watch.state import Estimate, Snapshot


def clock(seconds: float) -> str:
    """Returns m:ss, or h:mm:ss from an hour on."""
    # Rounded down: a clock that runs never shows a second that has not passed.
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def left(estimate: Estimate | None) -> str:
    """Returns "about 4:10 left", "at most 9:30 left", or "" without an estimate."""
    if estimate is None:
        return ""
    return f"{'at most' if estimate.is_bound else 'about'} {clock(estimate.seconds)} left"


def scores(record: TrialRecord) -> str:
    """Returns the main score of every task at the trial's best report."""
    best = record.best or record.best_on_sample
    found = main_scores(best.dev if best is not None else {})
    return " ".join(f"{task} {value:.3f}" for task, (_, value) in found.items())


def misses(record: TrialRecord, goal: Goal) -> str:
    """Returns what a trial misses of the limits, such as "misses parameters by 12 %", or ""."""
    found = goal.violations(record.reports)
    told = [f"{name} by {100 * share:.2g} %" for name, share in found.items() if share > 0]
    return f"misses {', '.join(told)}" if told else ""


def told_scores(record: TrialRecord, goal: Goal) -> str:
    """Returns the main scores, and what the trial misses of the limits."""
    return "  ".join(part for part in (scores(record), misses(record, goal)) if part)


def standing(record: TrialRecord, goal: Goal, front: Sequence[str]) -> str:
    """Returns the scores by which a trial is the best, and of how many it was chosen.

    Args:
        record: The best trial.
        goal: By what trials are compared.
        front: Ids of the trials that no other beats in all objectives.
    """
    score = f"{record.best.combined:.4f}" if record.best else "-"
    if goal.tasks:
        score = f"{scores(record)}, one of {len(front)} on the front" if front else scores(record)
    return ", ".join(part for part in (score, misses(record, goal)) if part)


def parameters(record: TrialRecord) -> str:
    """Returns the trial's parameters as key=value."""
    # Most keys are the optimizer's, and the lines are short.
    return " ".join(
        f"{name.removeprefix('optimizer.')}={value:.3g}"
        if isinstance(value, float)
        else f"{name}={value}"
        for name, value in record.parameters.items()
    )


def outcome(record: TrialRecord) -> str:
    """Returns in one line how a run ended, or how far one came that is paused."""
    score = "no score"
    if record.best is not None:
        score = f"combined {record.best.combined:.4f}"
    elif record.best_on_sample is not None:
        score = f"combined {record.best_on_sample.combined:.4f} on a sample of dev"
    if record.status == "failed":
        score = record.error or "no reason known"
    epochs = f"epoch{'' if record.progress == 1 else 's'}"
    parts = [
        f"{called(record.id)} {record.status} after {epochs_text(record.progress)} {epochs}: "
        f"{score}",
        scores(record),
        parameters(record),
    ]
    return "  ".join(part for part in parts if part)


def work(record: TrialRecord, status: TrainerStatus | None, epochs: int) -> str:
    """Returns what is done on a running trial, such as "epoch 2/3 step 14/25 260 sentences/s"."""
    if status is None:
        return "waiting for a trainer"
    progress = status.progress
    if progress is None:
        return "loading"
    text = f"epoch {progress.epoch}/{progress.epochs}"
    if progress.phase != "training":
        return f"{text} {progress.phase}"
    speed = progress.sentences_per_second
    return f"{text} step {progress.step}/{progress.steps}" + (
        f" {speed:.0f} sentences/s" if speed is not None else ""
    )


def trainers(snapshot: Snapshot) -> str:
    """Returns how many trainers are ready, "" when all of them are."""
    ready = sum(status.is_ready for status in snapshot.trainers)
    count = len(snapshot.trainers)
    return f"{ready} of {count} trainers started" if ready < count else ""
