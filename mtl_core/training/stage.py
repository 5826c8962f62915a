"""What makes the updates of a run, built anew whenever other parameters train."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mtl_core.assets import Assets
from mtl_core.config import RunConfig
from mtl_core.data.dev_sample import sample_of_dev
from mtl_core.data.store import EncodedDataset
from mtl_core.model.prefix import can_run_apart, looks_below
from mtl_core.model.prefix_cache import PrefixSettings
from mtl_core.training.distributed import Place
from mtl_core.training.forward import ForwardPass, TaskLosses
from mtl_core.training.loader import BatchLoader
from mtl_core.training.look import TaskLook
from mtl_core.training.row_adamw import RowAdamW
from mtl_core.training.state import RunState, set_frozen
from mtl_core.training.step import Step, build_step
from mtl_core.training.task_gradients import TaskGradients


@dataclass(frozen=True, slots=True)
class Stage:
    """What makes the updates; built anew whenever freezing changes.

    Attributes:
        optimizer: Makes the update from the gradients.
        look: Looks at how the tasks pull on what they share.
        step: Fills the gradients.
        sampled: The data sets with the sample of dev that reports within an epoch are scored on;
            None = all of dev.
    """

    optimizer: RowAdamW
    look: TaskLook
    step: Step
    sampled: Mapping[str, EncodedDataset] | None


def begin_stage(
    config: RunConfig,
    assets: Assets,
    state: RunState,
    loader: BatchLoader,
    place: Place,
    *,
    epoch: int,
) -> Stage:
    """Sets what trains from an epoch on, and builds what trains it.

    Args:
        config: The run.
        assets: Its data and encoder.
        state: Its model, of which the right parameters train from here on.
        loader: Gets the data sets with what frozen layers make of them.
        place: This worker.
        epoch: The epoch.
    """
    # First: `LossStep` hands what trains now to DistributedDataParallel.
    set_frozen(state.model, config.freezing, epoch=epoch)
    loader.datasets = _with_frozen_states(config, assets, state, loader, epoch)
    optimizer = RowAdamW(
        state.optimizer,
        state.model.row_embedding,
        scale=state.scale,
        clip_norm=config.optimizer.clip_norm,
    )
    forward = ForwardPass(TaskLosses(state.model), place, state.precision, state.scale)
    gradients = TaskGradients(forward)
    step = build_step(
        state.weighting,
        gradients,
        task_weights={name: task.weight for name, task in config.tasks.items()},
        # A step on one data set meets only its heads.
        has_unused_parameters=len(loader.datasets) > 1 or not state.model.uses_encoder,
    )
    # By the seed alone, so that every stage has the same rows.
    sampled = sample_of_dev(loader.datasets, config.training.report_rows, seed=config.seed)
    return Stage(optimizer, TaskLook(gradients, optimizer), step, sampled)


def _with_frozen_states(
    config: RunConfig, assets: Assets, state: RunState, loader: BatchLoader, epoch: int
) -> Mapping[str, EncodedDataset]:
    """Returns the data sets with what frozen layers make of them, where that never changes."""
    training, encoder = config.training, state.model.encoder
    depth = config.freezing.frozen_depth(encoder, epoch=epoch)
    every = assets.data.datasets
    if depth is None or training.prefix_cache == "off" or not can_run_apart(encoder, depth):
        return every
    if training.word_dropout > 0:  # Frozen layers see other words in each epoch.
        return every
    settings = PrefixSettings(
        depth=depth,
        precision=state.precision,
        dtype=state.precision if training.prefix_cache == "auto" else training.prefix_cache,
        budget=int(training.prefix_cache_gib * 2**30),
    )
    # Where a task changes its batches (masking), frozen layers see other words in each epoch.
    changed = {dataset for name in loader.collator.changes
               for dataset in config.tasks[name].datasets}  # fmt: skip
    found = dict(every)
    for name, dataset in every.items():
        if name in changed:
            continue
        ahead = state.model.sight.layers_ahead(dataset.labels)
        own = replace(settings, layers_ahead=ahead if looks_below(encoder, depth, ahead) else 0)
        found |= assets.prefix_cache.apply({name: dataset}, encoder, own)
    return found
