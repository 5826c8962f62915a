"""Scores on the rows of test that do not stand in train, against a test split of those alone."""

from pathlib import Path

import pytest
import torch
from conftest import RunConfigFactory, write_seq_in_out

from mtl_core.assets import Assets
from mtl_core.data.example import Example
from mtl_core.scores import flatten
from mtl_core.training.distributed import Place
from mtl_core.training.loop import train
from mtl_core.training.objectives.mean import Mean
from tuning.statistics.draws import with_draws
from tuning.statistics.seeds import RunScores
from tuning.trainers.messages import Scored, ScoreJob, TrialSpec
from tuning.trainers.scoring import score_on_test


@pytest.fixture(scope="module")
def rows(sample: dict[str, list[Example]]) -> dict[str, list[Example]]:
    return {
        split: [row for row in sample[split] if len(row.labels) == 2][:40]
        for split in ("train", "dev", "test")
    }


def score(folder: Path, config_of: RunConfigFactory, checkpoint: Path) -> Scored:
    config = config_of({"datasets.corpus.path": str(folder), "optimizer.head_lr": 1e-2})
    assets = Assets.load(config, device=torch.device("cpu"))
    if not checkpoint.exists():
        for _ in train(config, checkpoint=checkpoint, assets=assets):
            pass
    job = ScoreJob(TrialSpec("0000", {}, checkpoint), export=None, dev={})
    return score_on_test(job, config, assets, Mean(), Place.current())


def test_unseen_rows_are_scored_as_if_test_had_no_others(
    rows: dict[str, list[Example]], run_config: RunConfigFactory, tmp_path: Path
) -> None:
    unseen = rows["test"][:14]
    tests = {
        # Mixed, so that rows are told by their texts and not by their place.
        "leaky": [row for pair in zip(rows["train"], unseen, strict=False) for row in pair],
        "clean": unseen,
        "known": rows["train"][:10],
    }
    scored = {}
    for name, test in tests.items():
        for split, examples in (rows | {"test": test}).items():
            write_seq_in_out(tmp_path / name / split, examples)
        scored[name] = score(tmp_path / name, run_config, tmp_path / "checkpoint")
        # Draws are of the rows that the scores are of, so that they fit to them.
        for where, scores in (("test", scored[name].scores), ("unseen", scored[name].unseen)):
            run = RunScores(flatten(scores, "/"), where=where)  # type: ignore[arg-type]
            names = {"combined", "joint_accuracy", "intent/accuracy", "slots/f1"}
            assert with_draws(run, tmp_path).draws.keys() == (names if scores else set())
    leaky, clean, known = scored["leaky"], scored["clean"], scored["known"]
    assert leaky.unseen == clean.scores
    assert leaky.scores != clean.scores
    # What the comparison is worth is counted in the rows that it is about.
    assert leaky.worth_in_rows == clean.worth_in_rows == 14
    assert clean.unseen is None
    assert known.unseen is None
    assert known.worth_in_rows == 10
