"""Reports and records of trials, for tests."""

from mtl_core.training.progress import Phase, Progress
from mtl_core.training.report import Report
from tuning.records import Status, TrialRecord, run_id_of
from tuning.trainers.messages import TrainerStatus


def report(
    number: int, score: float, *, seconds: float = 1.0, per_epoch: int = 1, is_sample: bool = False
) -> Report:
    """The report of a number, of so many an epoch, with this score, which took these seconds."""
    return Report(
        epoch=-(-number // per_epoch), number=number, progress=number / per_epoch, step=number,
        losses={}, weights={}, learning_rates={}, dev={"intent": {"accuracy": score}},
        joint_accuracy=0.5, combined=score, best_combined=score, best_number=number,
        seconds=seconds, sentences_per_second=1.0, is_sample=is_sample,
    )  # fmt: skip


def record(number: int, status: Status, *scores: float, seconds: float = 1.0) -> TrialRecord:
    """A trial with these scores, one an epoch."""
    reports = tuple(report(epoch, one, seconds=seconds) for epoch, one in enumerate(scores, 1))
    return TrialRecord(run_id_of(number), status, {"optimizer.encoder_lr": 2e-4}, {}, reports)


def at_work(
    number: int, *, epoch: int, step: int, seconds: float, phase: Phase = "training"
) -> TrainerStatus:
    """A trainer in epoch `epoch` of 3, of 20 steps of 10 sentences each."""
    progress = Progress(phase, epoch, 3, step, 20, 10 * step, seconds)
    return TrainerStatus(is_ready=True, job=run_id_of(number), progress=progress)
