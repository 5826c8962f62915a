"""Marginal seconds per trial: warm trainers against one TorchTrainer per trial, in one run.

Both train the same thing: a random BERT of one layer on 32 sentences, 2 epochs, through
`mtl_core.train`, so nearly all the time is what a trial costs beside its training. Marginal =
(seconds of many trials - seconds of few) / difference in trials: start-up drops out.

Ours is the whole of `mtl tune` (Tune, searcher, pool, study folder, TensorBoard). Theirs is the
documented way: a Tune function that fits a TorchTrainer per trial, whose workers import torch and
transformers and load encoder and data each time.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from _harness import Row, output_path, write
from _peers import fit_torch_trainer

SENTENCES, EPOCHS = 32, 2
FEW, MANY = 5, 55
FEW_OF_THEIRS, MANY_OF_THEIRS = 1, 3  # Each of theirs takes as long as hundreds of ours.


def make_inputs(folder: Path, *, sentences: int = SENTENCES, layers: int = 1) -> dict[str, Any]:
    """Writes an encoder of so many layers and so many sentences; returns the raw `run` section."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    from mtl_core.data.formats.sample import generate_sample

    # Only rows that both tasks have labels for: the format has a tag line and a label per text.
    examples = [row for row in generate_sample()["train"] if len(row.labels) == 2][:sentences]
    for split in ("train", "dev", "test"):
        (folder / "data" / split).mkdir(parents=True)
        for name, lines in {
            "seq.in": [" ".join(row.words) for row in examples],
            "seq.out": [" ".join(row.labels["slots"]) for row in examples],
            "label": [str(row.labels["intent"]) for row in examples],
        }.items():
            text = "\n".join(lines) + "\n"
            (folder / "data" / split / name).write_text(text, encoding="utf-8")
    # Every word is one token, so that nothing but the machinery is left to time.
    words = sorted({word for row in examples for word in row.words})
    ids = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    ).save_pretrained(folder / "encoder")
    BertModel(
        BertConfig(
            vocab_size=len(ids),
            hidden_size=16,
            num_hidden_layers=layers,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
        )
    ).save_pretrained(folder / "encoder")
    return {
        "encoder": {"name": str(folder / "encoder")},
        "datasets": {"data": {"kind": "seq_in_out", "path": str(folder / "data")}},
        "tasks": {
            "intent": {"kind": "classification", "dataset": "data", "column": "intent"},
            "slots": {"kind": "tagging", "dataset": "data", "column": "slots"},
        },
        "training": {"epochs": EPOCHS, "batch_size": SENTENCES, "precision": "fp32"},
    }


def seconds_of_ours(run: dict[str, Any], storage: Path, trials: int) -> float:
    """Returns the seconds of a study with one warm trainer."""
    from tuning.run.tune import tune_study
    from tuning.study.config import StudyFile

    study = StudyFile.model_validate(
        {
            "run": run,
            "search": {"optimizer.head_lr": {"log_range": [1e-4, 1e-2]}},
            "study": {
                "name": f"ours-{trials}",
                "storage": str(storage),
                "trials": trials,
                "scheduler": {"kind": "none"},
                "sampler": {"kind": "random"},
                "resources": {"trainers": 1},
            },
        }
    )
    start = time.perf_counter()
    result = tune_study(study)
    assert (result.trials["status"] == "complete").all()
    return time.perf_counter() - start


def train_in_worker(config: dict[str, Any]) -> None:
    """The train function of theirs: loads everything, trains, forwards each report."""
    import ray.train

    from mtl_core.config import RunConfig
    from mtl_core.training.loop import train

    for report in train(RunConfig.model_validate(config)):
        ray.train.report({"combined": report.combined})


def one_trainer_per_trial(config: dict[str, Any]) -> None:
    """The Tune function of theirs."""
    fit_torch_trainer(train_in_worker, config["run"], config["storage"])


def seconds_of_theirs(run: dict[str, Any], storage: Path, trials: int) -> float:
    """Returns the seconds of a Tuner over one TorchTrainer per trial, one trial at a time."""
    from ray import tune

    start = time.perf_counter()
    results = tune.Tuner(
        tune.with_resources(one_trainer_per_trial, {"CPU": 0.001}),
        param_space={"run": run, "storage": str(storage)},
        tune_config=tune.TuneConfig(num_samples=trials, max_concurrent_trials=1),
        run_config=tune.RunConfig(name=f"theirs-{trials}", storage_path=str(storage), verbose=0),
    ).fit()
    assert not results.errors
    return time.perf_counter() - start


def marginal_of_theirs(run: dict[str, Any], storage: Path, interval: str) -> float:
    """Returns seconds per trial, at a poll interval of Train's controller in seconds."""
    import ray

    # Before Ray starts: its processes inherit the environment.
    os.environ["RAY_TRAIN_HEALTH_CHECK_INTERVAL_S"] = interval
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
    )
    ray.init(address="local", num_cpus=2, log_to_driver=False, logging_level="ERROR")
    try:
        few = seconds_of_theirs(run, storage / interval, FEW_OF_THEIRS)
        many = seconds_of_theirs(run, storage / interval, MANY_OF_THEIRS)
    finally:
        ray.shutdown()
    return (many - few) / (MANY_OF_THEIRS - FEW_OF_THEIRS)


def main() -> None:
    """Measures and writes the rows."""
    path = output_path()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # A cache of its own, so that no earlier run has filled it.
        os.environ["MTL_CACHE"] = str(folder / "cache")
        run = make_inputs(folder)
        # The first one starts with cold caches, which would be taken off what trials cost.
        seconds_of_ours(run, folder / "cold", FEW)
        few, many = (seconds_of_ours(run, folder / "runs", trials) for trials in (FEW, MANY))
        ours = (many - few) / (MANY - FEW)
        # In Ray's default, and at the interval that suits them best.
        default = marginal_of_theirs(run, folder / "theirs", "2.0")
        kindest = marginal_of_theirs(run, folder / "theirs", "0.1")
    rows = [
        Row(
            "trial on a warm trainer | 0.3 s allowed", ours, 0.3, "seconds", 0.3 / ours, 1.0,
            ours <= 0.3,
        ),
        Row(
            "trial | one TorchTrainer per trial", ours, default, "seconds", default / ours, 100.0,
            default >= 100 * ours,
        ),
        Row(
            "trial | one TorchTrainer per trial, polled every 0.1 s", ours, kindest, "seconds",
            kindest / ours, 50.0, kindest >= 50 * ours,
        ),
    ]  # fmt: skip
    write("trial_overhead", rows, path)


if __name__ == "__main__":
    main()
