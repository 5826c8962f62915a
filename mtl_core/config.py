"""The `run` part of a study file: all that shapes one training run."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl_core.data.encode import TaskColumn
from mtl_core.data.readers import DatasetSection
from mtl_core.errors import did_you_mean
from mtl_core.model.encoder import Encoder
from mtl_core.model.freezing import FreezingSection, NoFreezing
from mtl_core.section import Section
from mtl_core.tasks.base import column_of
from mtl_core.tasks.classification import Classification
from mtl_core.tasks.tagging import Tagging
from mtl_core.training.optimizer import Optimizer
from mtl_core.weighting.fixed import Fixed
from mtl_core.weighting.uncertainty import Uncertainty

AnyTaskSection = Annotated[Classification | Tagging, Field(discriminator="kind")]
WeightingSection = Annotated[Fixed | Uncertainty, Field(discriminator="kind")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


class Training(Section):
    """The training loop."""

    epochs: int = Field(default=5, ge=1)
    """Passes over the training data of all data sets."""
    batch_size: int = Field(default=32, ge=1)
    """Sentences an optimiser step, over all workers and accumulated parts."""
    accumulation: int = Field(default=1, ge=1)
    """Parts that a batch is cut into to save memory; the update stays the same."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """`bf16` = autocast of the forward pass, weights stay fp32."""


class RunConfig(Section):
    """One training run."""

    encoder: Encoder = Encoder()
    """The encoder that all tasks share."""
    datasets: dict[Name, DatasetSection] = Field(min_length=1)
    """Data sets by name."""
    tasks: dict[Name, AnyTaskSection] = Field(min_length=1)
    """Tasks by name."""
    freezing: FreezingSection = NoFreezing()
    """What keeps its pretrained weights."""
    weighting: WeightingSection = Fixed()
    """How the task losses become one."""
    optimizer: Optimizer = Optimizer()
    """AdamW, its learning rates and their schedule."""
    training: Training = Training()
    """Epochs, batches and precision."""
    seed: int = Field(default=0, ge=0)
    """Seed of head weights, order of the data and dropout."""

    @model_validator(mode="after")
    def _check_tasks(self) -> "RunConfig":
        kinds: dict[tuple[str, str], str] = {}
        for name, task in self.tasks.items():
            if task.dataset not in self.datasets:
                raise ValueError(
                    f"tasks.{name}.dataset: there is no data set '{task.dataset}'; data sets: "
                    f"{', '.join(self.datasets)}.{did_you_mean(task.dataset, self.datasets)}"
                )
            column = (task.dataset, task.column)
            if kinds.setdefault(column, task.kind) != task.kind:
                raise ValueError(
                    f"tasks.{name}.column: column '{task.column}' is used both as "
                    f"{kinds[column]} and {task.kind}"
                )
        if all(task.weight == 0 for task in self.tasks.values()):
            raise ValueError("tasks: the weights of all tasks are 0; at least one has to train")
        unused = set(self.datasets) - {task.dataset for task in self.tasks.values()}
        if unused:
            name = sorted(unused)[0]
            raise ValueError(f"datasets.{name}: no task uses this data set; remove it")
        return self

    def columns(self, dataset: str) -> list[TaskColumn]:
        """Returns where the tasks on a data set find their labels."""
        return [
            column_of(name, task, is_per_word=task.is_per_word)
            for name, task in self.tasks.items()
            if task.dataset == dataset
        ]
