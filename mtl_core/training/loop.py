"""The training loop: a generator of one `EpochReport` an epoch; closing it stops the run."""

import hashlib
import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from mtl_core.assets import Assets, build_tasks
from mtl_core.config import RunConfig
from mtl_core.data.batching import Batch, make_batch
from mtl_core.data.encode import NO_LABEL
from mtl_core.errors import ConfigError, TrainingError
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.tasks.base import Task
from mtl_core.training.checkpoint import Trainer, load_checkpoint, save_checkpoint
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import evaluate
from mtl_core.training.objective import Mean, ObjectiveSection
from mtl_core.training.optimizer import build_optimizer, build_schedule, learning_rates
from mtl_core.training.plan import GlobalBatch, TrainingPlan
from mtl_core.training.report import EpochReport
from mtl_core.weighting.base import Weighting

_CHECK_EVERY = 20
"""Steps between looks at the loss: each look waits for the device."""


def train(
    config: RunConfig,
    *,
    objective: ObjectiveSection | None = None,
    checkpoint: Path | None = None,
    assets: Assets | None = None,
) -> Generator[EpochReport, None, None]:
    """Trains one multi-task model.

    With several workers (a torch.distributed process group) each of them calls this with the same
    arguments and gets the same reports.

    Args:
        config: The run.
        objective: What `combined` is; default: the mean of the main scores.
        checkpoint: Folder of the checkpoint. When it holds one of this recipe the run goes on from
            there, after yielding the reports that were already made; the numbers are those of a
            run that was never interrupted, bit by bit in fp32 on one CPU worker.
        assets: Data and encoder of an earlier run with the same `assets_key`.

    Yields:
        A report after every epoch.

    Raises:
        ConfigError: The configuration cannot be run.
        DataError: A data set cannot be used.
        TrainingError: The loss is not finite.
    """
    run = _Run(config, objective or Mean(), assets)
    if checkpoint is not None:
        load_checkpoint(checkpoint, run.trainer, recipe=config.model_dump_json())
    yield from tuple(run.trainer.reports)
    for epoch in range(len(run.trainer.reports) + 1, config.training.epochs + 1):
        report = run.run_epoch(epoch)
        if checkpoint is not None:
            if run.place.rank == 0:
                save_checkpoint(checkpoint, run.trainer, recipe=config.model_dump_json())
            run.place.barrier()
        yield report


class _Step(nn.Module):
    """Model, losses and weighting as one module, so that DistributedDataParallel sees them all."""

    def __init__(
        self, model: MultiTaskModel, weighting: Weighting, tasks: Mapping[str, Task]
    ) -> None:
        super().__init__()
        self.model = model
        self.weighting = weighting
        self._tasks = dict(tasks)

    def forward(
        self, batch: Batch, counts: Mapping[str, int], share: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the loss to minimise and the summed loss of every task.

        `counts` are the labels of the whole step, over all workers and parts: each part divides by
        them, so the parts add up to the gradient of the undivided batch. `share` is one by the
        number of parts.
        """
        logits = self.model(batch, list(counts))
        sums = {
            name: self._tasks[name].loss_sum(logits[name], batch.labels[name]) for name in counts
        }
        present = {name: sums[name] / counts[name] for name in counts if counts[name]}
        # A head without labels in this step still takes part: workers must agree on gradients.
        absent = [total for name, total in sums.items() if not counts[name]]
        return sum(absent, start=self.weighting(present, share)), sums


class _Run:
    """A run between its epochs."""

    def __init__(
        self, config: RunConfig, objective: ObjectiveSection, assets: Assets | None
    ) -> None:
        self.config = config
        self.objective = objective
        self.place = Place.current()
        self.assets = assets or Assets.load(config, device=self.place.device)
        self.datasets = self.assets.data.datasets
        self.tasks = build_tasks(config, self.datasets)
        weights = {name: task.weight for name, task in config.tasks.items()}
        trained = {name for name, weight in weights.items() if weight > 0}
        self.plan = TrainingPlan(self.datasets, trained, batch_size=config.training.batch_size)

        _seed(config.seed, "heads")
        model = self.assets.new_model(config, self.tasks)
        weighting = config.weighting.build(weights).to(self.place.device)
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ConfigError("run.freezing: nothing is left to train")
        step = _Step(model, weighting, self.tasks)
        self.step = self.place.wrap(step, has_unused_parameters=len(self.datasets) > 1)
        optimizer = build_optimizer(
            model,
            weighting,
            config.optimizer,
            {
                name: task.learning_rate or config.optimizer.head_lr
                for name, task in config.tasks.items()
            },
        )
        schedule = build_schedule(
            optimizer,
            schedule=config.optimizer.schedule,
            warmup=config.optimizer.warmup,
            total_steps=self.plan.steps_per_epoch * config.training.epochs,
        )
        self.trainer = Trainer(model, weighting, optimizer, schedule, [])
        self.loss_sums = torch.zeros(len(self.tasks), device=self.place.device)
        self.label_counts = dict.fromkeys(self.tasks, 0)

    def run_epoch(self, epoch: int) -> EpochReport:
        """Trains and evaluates one epoch, and adds its report to the run."""
        start = time.perf_counter()
        # Seeded by epoch, so that a run resumed here draws what an uninterrupted one would.
        _seed(self.config.seed, "epoch", epoch, self.place.rank)
        generator = np.random.default_rng([self.config.seed, epoch])
        self.trainer.model.train()
        self.loss_sums.zero_()
        self.label_counts = dict.fromkeys(self.tasks, 0)
        for number, batch in enumerate(self.plan.epoch(generator), start=1):
            self._train_step(batch)
            if number % _CHECK_EVERY == 0 or number == self.plan.steps_per_epoch:
                losses = self._mean_losses(epoch, number)
        training_seconds = time.perf_counter() - start
        result = evaluate(
            self.trainer.model,
            self.tasks,
            self.datasets,
            split="dev",
            place=self.place,
            precision=self.config.training.precision,
            pad_token_id=self.assets.data.tokenizer.pad_token_id or 0,
        )
        combined = self.objective.combine(list(result.main.values()), result.joint_accuracy)
        best = max(self.trainer.reports, key=lambda report: report.combined, default=None)
        if best is not None and best.combined >= combined:
            best_combined, best_epoch = best.combined, best.epoch
        else:
            best_combined, best_epoch = combined, epoch
        report = EpochReport(
            epoch=epoch,
            progress=float(epoch),
            step=epoch * self.plan.steps_per_epoch,
            losses=losses,
            weights=self.trainer.weighting.current_weights(),
            learning_rates=learning_rates(self.trainer.optimizer),
            dev=result.scores,
            joint_accuracy=result.joint_accuracy,
            combined=combined,
            best_combined=best_combined,
            best_epoch=best_epoch,
            seconds=time.perf_counter() - start,
            sentences_per_second=self.plan.rows_per_epoch / training_seconds,
        )
        self.trainer.reports.append(report)
        return report

    def _train_step(self, batch: GlobalBatch) -> None:
        """Makes one optimiser step, in parts when gradients are accumulated."""
        parts = self.config.training.accumulation
        all_parts = parts * self.place.world_size
        optimizer = self.trainer.optimizer
        optimizer.zero_grad(set_to_none=True)
        for part in range(parts):
            number = part * self.place.world_size + self.place.rank
            rows, is_padding = batch.part(number, all_parts)
            local = make_batch(
                self.datasets[batch.dataset].splits["train"],
                rows,
                pad_token_id=self.assets.data.tokenizer.pad_token_id or 0,
            ).to(self.place.device)
            if is_padding:
                local = _without_labels(local)
            # Gradients cross the network once a step, not once a part.
            is_last = part == parts - 1
            with self.place.synchronised(self.step, is_wanted=is_last):
                with torch.autocast(
                    self.place.device.type,
                    torch.bfloat16,
                    enabled=self.config.training.precision == "bf16",
                ):
                    loss, sums = self.step(local, batch.counts, 1 / all_parts)
                # DistributedDataParallel averages over workers; the parts have to add up.
                (loss * self.place.world_size).backward()
            for name, value in sums.items():
                self.loss_sums[self._position(name)] += value.detach()
        if self.config.optimizer.clip_norm is not None:
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            clip_grad_norm_(parameters, self.config.optimizer.clip_norm)
        optimizer.step()
        self.trainer.schedule.step()
        for name, count in batch.counts.items():
            self.label_counts[name] += count

    def _mean_losses(self, epoch: int, step: int) -> dict[str, float]:
        """Returns task name -> mean loss of the epoch so far, over all workers.

        Raises:
            TrainingError: One of them is not finite.
        """
        sums = self.place.sum(self.loss_sums.clone()).tolist()
        losses = {
            name: total / self.label_counts[name]
            for name, total in zip(self.tasks, sums, strict=True)
            if self.label_counts[name]
        }
        for name, loss in losses.items():
            if not np.isfinite(loss):
                raise TrainingError(
                    f"epoch {epoch}, step {step}: the loss of task '{name}' is {loss}; lower "
                    f"optimizer.encoder_lr ({self.config.optimizer.encoder_lr:g}) or "
                    f"optimizer.head_lr ({self.config.optimizer.head_lr:g}), or clip gradients"
                )
        return losses

    def _position(self, task_name: str) -> int:
        return list(self.tasks).index(task_name)


def _without_labels(batch: Batch) -> Batch:
    """Returns a batch that has no loss: for a worker whose share of a small batch is empty."""
    return replace(
        batch, labels={name: torch.full_like(ids, NO_LABEL) for name, ids in batch.labels.items()}
    )


def _seed(*parts: int | str) -> None:
    """Seeds torch's generators (head weights, dropout) from the parts."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)
