"""A small study as values, for the tests of what is said of it."""

from mtl_core.training.report import Report
from tuning.records import TrialRecord
from tuning.report.importance import Importance, Share
from tuning.report.summary import StudySummary
from tuning.study.final_scores import FinalScores
from tuning.study.reached import Reached
from tuning.study.result import Result


def epoch_report(epoch: int, accuracy: float, f1: float) -> Report:
    return Report(
        epoch=epoch,
        number=epoch,
        progress=float(epoch),
        step=10 * epoch,
        losses={"intent": 0.5, "slots": 0.25},
        weights={"intent": 1.0, "slots": 1.0},
        learning_rates={"encoder": 1e-4},
        dev={"intent": {"accuracy": accuracy, "macro_f1": 0.1}, "slots": {"f1": f1}},
        joint_accuracy=0.5,
        combined=(accuracy + f1) / 2,
        best_combined=1.0,
        best_number=epoch,
        seconds=2.0,
        sentences_per_second=100.0,
    )


RECORDS = [
    TrialRecord(
        id="0000",
        status="complete",
        parameters={"optimizer.encoder_lr": 2e-4, "freezing": "none"},
        overrides={},
        reports=(epoch_report(1, 0.80, 0.60),),
        seconds=4.0,
    ),
    TrialRecord(
        id="0001",
        status="stopped",
        parameters={"optimizer.encoder_lr": 1e-3, "freezing": "a|b", "freezing.layers": 3},
        overrides={},
        reports=(epoch_report(1, 0.90, 0.80), epoch_report(2, 0.80, 0.70)),
        seconds=5.5,
    ),
    TrialRecord(
        id="0002",
        status="failed",
        parameters={"optimizer.encoder_lr": 1e-5, "freezing": "none"},
        overrides={},
        error="ValueError: shape (2|3)\nwith `ticks`",
    ),
]
DEFAULT = FinalScores(
    trial="0000",
    parameters=RECORDS[0].parameters,
    dev={"combined": 0.70, "intent": {"accuracy": 0.80}},
    test={"combined": 0.65, "intent": {"accuracy": 0.75}},
)
BEST = FinalScores(
    trial="0001",
    parameters=RECORDS[1].parameters,
    dev={"combined": 0.85, "intent": {"accuracy": 0.90}},
    test={"combined": 0.75, "intent": {"accuracy": 0.85}},
)
SUMMARY = StudySummary(
    name="demo",
    folder="runs/my demo",
    records=RECORDS,
    result=Result(
        trials={"complete": 1, "stopped": 1, "failed": 1},
        goal=Reached(objective="mean"),
        best=BEST,
        default=DEFAULT,
        seconds=432.0,
    ),
    replay="mtl train demo --set optimizer.encoder_lr=0.001",
    importances=[
        Importance(
            "combined",
            {"optimizer.encoder_lr": Share(0.75, 0.6, 0.9), "freezing": Share(0.25, 0.0, 0.5)},
        )
    ],
)
