"""What others do: the same model and data in a Transformers `Trainer`, with torch's own parts."""

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from mtl_core.assets import Assets
    from mtl_core.config import RunConfig
    from mtl_core.data.batching import Batch
    from mtl_core.data.encoded import EncodedSplit
    from mtl_core.model.autocast import Precision
    from mtl_core.model.multitask import MultiTaskModel
    from mtl_core.weighting.base import Weighting


def load(config: "RunConfig") -> "Assets":
    """Loads data and encoder, onto a GPU when there is one."""
    from mtl_core.assets import Assets
    from mtl_core.training.distributed import Place

    return Assets.load(config, device=Place.current().device)


@dataclass(frozen=True, slots=True)
class Peer:
    """A model and what trains it, without anything of ours that makes a step faster."""

    assets: "Assets"
    model: "MultiTaskModel"
    weighting: "Weighting"
    optimizer: Any
    schedule: Any


def make_peer(config: "RunConfig", *, fused: bool | None = True) -> Peer:
    """Makes a model with torch's own dropout and attention, its optimiser and schedule.

    Args:
        config: The run.
        fused: None = torch's AdamW in its defaults; else the fused one that runs of ours have.
    """
    import torch

    from mtl_core.assets import build_tasks
    from mtl_core.training.optimizer import build_optimizer, build_schedule

    assets = load(config)
    torch.manual_seed(config.seed)  # New heads are drawn from torch's global generator.
    model = assets.new_model(config, build_tasks(config, assets.data.datasets))
    freezing = config.freezing
    model.freeze(
        freezing.frozen_modules(model.encoder, epoch=1),
        freezing.frozen_parameters(model.encoder, epoch=1),
    )
    use_torchs_own(model)  # After the model was made: making it puts the fast parts in.
    weights = {name: task.weight for name, task in config.tasks.items()}
    weighting = config.weighting.build(weights, seed=config.seed)
    rates = dict.fromkeys(config.tasks, config.optimizer.head_lr)
    optimizer = build_optimizer(model, weighting, config.optimizer, rates)
    if fused is None:
        # The same groups, with their rates and decay; all else is torch's default.
        keys = ("params", "lr", "weight_decay")
        groups = [{key: group[key] for key in keys} for group in optimizer.param_groups]
        optimizer = torch.optim.AdamW(groups)
    rows, training = len(train_split(assets)), config.training
    steps = -(-rows // training.batch_size) * training.epochs  # ceil: the last batch is smaller.
    schedule = build_schedule(
        optimizer, schedule="linear", warmup=config.optimizer.warmup, total_steps=steps
    )
    return Peer(assets, model, weighting, optimizer, schedule)


def use_torchs_own(model: "MultiTaskModel") -> None:
    """Gives a model torch's dropout and attention."""
    from torch import nn

    from mtl_core.model.dropout import FastDropout

    # A list, since modules are exchanged on the way.
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, FastDropout):
                setattr(module, name, nn.Dropout(child.p))
    model.encoder.set_attn_implementation("sdpa")


def loss_of(peer: Peer, batch: "Batch") -> "torch.Tensor":
    """Returns the objective of a batch over the mean loss of each task in it."""
    batch = batch.to(peer.model.encoder.device)
    # -100 marks words and rows without a label, as in torch's `cross_entropy`; a task that has none
    # in this batch would divide by 0.
    present = [name for name, labels in batch.labels.items() if (labels != -100).any()]
    logits = peer.model(batch, present)
    losses = {
        name: peer.model.head(name).loss_sum(logits[name], batch.labels[name], batch)
        / (batch.labels[name] != -100).sum()
        for name in present
    }
    loss: torch.Tensor = peer.weighting(losses)
    return loss


def widen(batch: "Batch", width: int) -> "Batch":
    """Returns a batch padded to at least `width` sub-words."""
    from torch.nn.functional import pad

    missing = max(0, width - batch.token_ids.shape[1])
    return replace(  # (batch, seq) -> (batch, max(seq, width)); 0 pads the bundled encoder
        batch,
        token_ids=pad(batch.token_ids, (0, missing)),
        attention_mask=pad(batch.attention_mask, (0, missing)),
    )


def score(config: "RunConfig", peer: Peer) -> float:
    """Returns the mean of the main dev scores."""
    from mtl_core.assets import build_collator, build_tasks
    from mtl_core.training.distributed import Place
    from mtl_core.training.evaluation import evaluate

    datasets = peer.assets.data.datasets
    result = evaluate(
        peer.model,
        build_tasks(config, datasets),
        datasets,
        split="dev",
        place=Place.current(),
        precision=precision_of(config),
        collator=build_collator(config, peer.assets.data.tokenizer),
    )
    return statistics.mean(result.main.values())


def precision_of(config: "RunConfig") -> "Precision":
    """Returns the precision of a run, which both sides were told."""
    precision = config.training.precision
    assert precision != "auto"
    return precision


def train_split(assets: "Assets") -> "EncodedSplit":
    """Returns the training sentences of the only data set."""
    [dataset] = assets.data.datasets.values()
    return dataset.splits["train"]


def fit_trainer(
    config: "RunConfig", peer: Peer, after_epoch: Callable[[], None], *, width: int = 0
) -> None:
    """Trains with a Transformers `Trainer` in its defaults.

    Args:
        config: The run; its first data set is trained on.
        peer: What `make_peer` made of it.
        after_epoch: Called after each epoch.
        width: Least length that sentences are padded to.
    """
    from torch import nn
    from torch.utils.data import Dataset
    from transformers import Trainer, TrainerCallback, TrainingArguments

    from mtl_core.data.batching import make_batch

    split = train_split(peer.assets)

    # Row numbers and not examples: they become a batch in `collate`, from the same arrays as ours.
    class Rows(Dataset[int]):
        def __len__(self) -> int:
            return len(split)

        def __getitem__(self, row: int) -> int:
            return row

    # A Trainer wants one module that returns its loss; the weighting may have parameters as well.
    class Losses(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = peer.model
            self.weighting = peer.weighting

        def forward(self, batch: "Batch") -> dict[str, "torch.Tensor"]:
            return {"loss": loss_of(peer, batch)}

    class AfterEpoch(TrainerCallback):  # type: ignore[misc]
        def on_epoch_end(self, *arguments: Any, **keywords: Any) -> None:
            after_epoch()

    def collate(rows: list[int]) -> dict[str, "Batch"]:
        return {"batch": widen(make_batch(split, rows, pad_token_id=0), width)}

    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            Losses(),
            TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=config.training.batch_size,
                num_train_epochs=config.training.epochs,
                bf16=precision_of(config) == "bf16",
                fp16=precision_of(config) == "fp16",
                use_cpu=peer.model.encoder.device.type == "cpu",
                save_strategy="no",  # Nothing but training is timed.
                logging_strategy="no",
                disable_tqdm=True,
                remove_unused_columns=False,  # Rows are numbers, and have no columns.
            ),
            data_collator=collate,
            train_dataset=Rows(),
            optimizers=(peer.optimizer, peer.schedule),
            callbacks=[AfterEpoch()],
        ).train()


def fit_torch_trainer(
    train: Callable[[dict[str, Any]], None], config: dict[str, Any], storage: str
) -> None:
    """Fits one TorchTrainer inside of a Tune trial, the documented way.

    Args:
        train: The train function of its worker.
        config: What that gets.
        storage: Folder of its results.
    """
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.tune import get_context
    from ray.tune.integration.ray_train import TuneReportCallback

    TorchTrainer(
        train,
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=1),
        run_config=RunConfig(
            # By trial, as Ray's documentation has it: a run that is started again finds its own.
            name=f"train-trial_id={get_context().get_trial_id()}",
            storage_path=storage,
            callbacks=[TuneReportCallback()],  # Passes reports of its worker on to Tune.
        ),
    ).fit()
