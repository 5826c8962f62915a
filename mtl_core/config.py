"""The `run` part of a study file: all that shapes one training run."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mtl_core.data.columns.base import AnyColumn
from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.data.layouts.base import Layout
from mtl_core.errors import did_you_mean
from mtl_core.model.backbones.encoder import Encoder
from mtl_core.model.backbones.kinds import BackboneSection
from mtl_core.model.freezing import NoFreezing
from mtl_core.model.kinds import FreezingSection
from mtl_core.section import Section
from mtl_core.tasks.base import TaskSection
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.kinds import AnyTaskSection
from mtl_core.training.mixing import MixingSection, Proportional
from mtl_core.training.optimizer import Optimizer
from mtl_core.training.precision import Wanted
from mtl_core.weighting.fixed import FixedSection
from mtl_core.weighting.kinds import WeightingSection

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]

_TAKEN = {
    "text": "the text itself in the JSON of a prediction",
    "text_pair": "the second text in the JSON of a prediction",
    "combined": "the objective in result.json",
    "joint_accuracy": "a score of all tasks in result.json",
}
"""Names that stand beside those of tasks, and what they mean there."""


class Training(Section):
    """The training loop."""

    epochs: int = Field(default=5, ge=1)
    """Passes over the training data of all data sets."""
    batch_size: int = Field(default=32, ge=1)
    """Sentences per optimiser step, over all workers, data sets and accumulated parts."""
    accumulation: int = Field(default=1, ge=1)
    """Parts that a batch is cut into to save memory; the update stays the same."""
    precision: Wanted = "auto"
    """`bf16`, `fp16` = autocast of the forward pass, weights stay fp32; `auto` = the faster one.

    `auto` = bf16 where every worker's device is faster with it, else fp32. `fp16` is for GPUs
    without bf16; its loss is scaled.
    """
    prefix_cache: Literal["auto", "bf16", "fp16", "fp32", "off"] = "auto"
    """How the output of frozen lower layers is kept on disk; `auto` = in the run's precision."""
    prefix_cache_gib: float = Field(default=16.0, ge=0)
    """GiB of disk for that output, of all runs on a machine; the least recently used makes room."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the words that the mask token hides in training, other ones in each epoch.

    Labels stay, and dev and test are read whole, so a model learns to find names that it has never
    seen by what stands around them. 0.1 to 0.2 are good values for tags of few sentences. Frozen
    layers are computed anew in every epoch then, without `prefix_cache`.
    """
    gradient_checkpointing: bool = False
    """Keeps of each layer its input alone, and computes the rest again for the backward pass: a
    fraction of the memory, for about a third more time."""
    gradients_every: int | None = Field(default=None, ge=1)
    """Steps between looks at how the tasks pull on what they share; null = never.

    A look sees each task's gradient (norms, cosines), and what a step of each task does to the loss
    of each other. It costs as much as 3 steps with two tasks on one data set, and as 12 with four
    tasks on three.
    """
    reports_per_epoch: int = Field(default=1, ge=1)
    """How often in an epoch a run is scored on dev, reports, and writes its checkpoint."""
    report_rows: int | None = Field(default=None, ge=1)
    """Rows of dev, per data set and task, that reports within an epoch are scored on: the same
    ones each time, drawn by `seed`. At the end of an epoch it is all of dev; null = always."""

    @model_validator(mode="after")
    def _check_reports(self) -> "Training":
        if self.report_rows is not None and self.reports_per_epoch == 1:
            raise ValueError(
                f"report_rows: {self.report_rows} has no effect, as with reports_per_epoch: 1 "
                "nothing is reported within an epoch; set reports_per_epoch, or leave it out"
            )
        return self


class RunConfig(Section):
    """One training run."""

    encoder: BackboneSection = Encoder()
    """The pretrained model, whose encoder all tasks share."""
    datasets: dict[Name, DatasetSection] = Field(min_length=1)
    """Data sets by name."""
    tasks: dict[Name, AnyTaskSection] = Field(min_length=1)
    """Tasks by name."""
    mixing: MixingSection = Proportional()
    """Which data set each step draws from."""
    freezing: FreezingSection = NoFreezing()
    """What keeps its pretrained weights."""
    weighting: WeightingSection = FixedSection()
    """How the task losses become one update."""
    optimizer: Optimizer = Optimizer()
    """AdamW, its learning rates and their schedule."""
    training: Training = Training()
    """Epochs, batches and precision."""
    seed: int = Field(default=0, ge=0)
    """Seed of head weights, order of the data, masking and dropout."""

    @model_validator(mode="after")
    def _check_tasks(self) -> "RunConfig":
        # First that the data sets exist: all that follows looks tasks up by their data sets.
        for name, task in self.tasks.items():
            self._check_datasets(name, task)
            self._check_backbone(name, task)
        for dataset in self.datasets:
            self._check_columns(dataset)
        for name in _TAKEN:
            if name in self.tasks:
                raise ValueError(
                    f"tasks.{name}: '{name}' is {_TAKEN[name]}; expected another name for the task"
                )
        # Without a task that trains there is no loss, and without one that counts no objective.
        if all(task.weight == 0 for task in self.tasks.values()):
            raise ValueError("tasks: the weights of all tasks are 0; at least one has to train")
        if all(task.auxiliary for task in self.tasks.values()):
            raise ValueError("tasks: all tasks are auxiliary; at least one has to count")
        if self.training.word_dropout > 0 and self.encoder.reads_targets:
            raise ValueError(
                f"training.word_dropout: with encoder.kind {self.encoder.kind} a word is read and "
                "foreseen at once; use encoder.kind encoder or encoder_decoder, or leave it out"
            )
        if self.encoder.adds_writer and not any(task.writes for task in self.tasks.values()):
            raise ValueError("encoder.decoder: no task writes text, so it has no effect")
        return self

    def _check_datasets(self, name: str, task: TaskSection) -> None:
        if not task.datasets:
            raise ValueError(
                f"tasks.{name}.dataset: the list is empty; data sets: {', '.join(self.datasets)}"
            )
        for dataset in task.datasets:
            if dataset not in self.datasets:
                raise ValueError(
                    f"tasks.{name}.dataset: there is no data set '{dataset}'; data sets: "
                    f"{', '.join(self.datasets)}.{did_you_mean(dataset, self.datasets)}"
                )
            if isinstance(task.column, dict) and dataset not in task.column:
                raise ValueError(f"tasks.{name}.column: there is no column for '{dataset}'")

    def _check_backbone(self, name: str, task: TaskSection) -> None:
        if task.writes and not self.encoder.writes:
            raise ValueError(
                f"tasks.{name}.kind: {task.kind} writes text, which encoder.kind "
                f"{self.encoder.kind} does not; use encoder.kind decoder or encoder_decoder, or "
                "give it a decoder (encoder.decoder)"
            )
        if task.looks_ahead and not self.encoder.looks_ahead:
            raise ValueError(
                f"tasks.{name}.kind: {task.kind} needs sub-words that see those behind them, and "
                f"with encoder.kind {self.encoder.kind} they see those before them alone; use "
                "encoder.kind encoder"
            )

    def _check_columns(self, dataset: str) -> None:
        # Tasks may share a column, but it is read from the file once, as values of one type.
        kinds: dict[str, str] = {}
        columns = self.columns(dataset)
        if not columns:
            raise ValueError(f"datasets.{dataset}: no task uses this data set; remove it")
        read = [(column, *item) for column in columns for item in column.reads.items()]
        for column, name, kind in read:
            if kinds.setdefault(name, kind) != kind:
                raise ValueError(
                    f"tasks.{column.task_name}.column: column '{name}' is used both as "
                    f"{kinds[name]} and {kind}"
                )
        # Windows and chunks are rows of one task's own making: another task's labels would not be
        # theirs.
        layouts = {name: self._layout(task) for name, task in self._tasks_on(dataset)}
        alone = next((name for name, layout in layouts.items() if not layout.is_shared), None)
        if alone and len(columns) > 1:
            raise ValueError(
                f"tasks.{alone}.dataset: the rows of '{dataset}' are {layouts[alone].rows} for "
                "this task, which no other task can use; name the same files as another data set "
                "for the others"
            )

    def is_at_decoding(self, key: str) -> bool:
        """Returns whether a dotted key of `run` is read when logits are decoded, and in no loss."""
        section, _, inner = key.partition(".")
        name, _, setting = inner.partition(".")
        task = self.tasks.get(name) if section == "tasks" else None
        return task is not None and setting.partition(".")[0] in task.at_decoding

    def plain_for(self, settings: Mapping[str, object]) -> dict[str, object]:
        """Returns the run as plain data, in which settings of decoding are to be replaced.

        Where another kind of decoding is among them, what only the present one has is left out.

        Args:
            settings: Dotted key of `run` -> value.
        """
        plain = self.model_dump(mode="json")
        for name, task in plain["tasks"].items():
            section, shared = task.get("decoding"), Decoding.model_fields
            if f"tasks.{name}.decoding.kind" in settings and isinstance(section, dict):
                task["decoding"] = {key: section[key] for key in section if key in shared}
        return plain

    def columns(self, dataset: str) -> list[AnyColumn]:
        """Returns where the tasks on a data set find their labels."""
        return [task.column_in(dataset, name) for name, task in self._tasks_on(dataset)]

    def layout(self, dataset: str) -> Layout:
        """Returns how the rows of a data set are made; its tasks all ask for the same."""
        # Any of them will do: `_check_columns` leaves a layout that is not shared to its only task.
        return next(self._layout(task) for _, task in self._tasks_on(dataset))

    def layout_of(self, task: str) -> Layout:
        """Returns how the rows of a task are made, whichever of its data sets they are of."""
        return self._layout(self.tasks[task])

    def names_of_texts(self, task: str) -> tuple[tuple[str, str], ...]:
        """Returns what the data sets of a task call text and second text, for prompts that name it.

        None of a task that has no prompt: such tasks are to share what they read of a text.
        """
        section = self.tasks[task]
        sources = section.datasets if section.writes else ()
        columns = (self.datasets[dataset].text_columns() for dataset in sources)
        return tuple(dict.fromkeys((one.text, one.pair) for one in columns))

    def _layout(self, task: TaskSection) -> Layout:
        return task.layout(reads_targets=self.encoder.reads_targets)

    def _tasks_on(self, dataset: str) -> Iterator[tuple[str, TaskSection]]:
        return ((name, task) for name, task in self.tasks.items() if dataset in task.datasets)
