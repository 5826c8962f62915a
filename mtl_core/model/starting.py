"""The weights of a trained model, which a run begins with in place of pretrained and new ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from mtl_core.errors import ConfigError
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.tasks.base import Task


@dataclass(frozen=True, slots=True)
class StartingWeights:
    """A trained model, whose weights take the place of pretrained and of newly drawn ones.

    Attributes:
        name: What messages call it.
        model: The model, adapters merged.
        tasks: Task name -> task, as the model knows it.
    """

    name: str
    model: MultiTaskModel
    tasks: Mapping[str, Task]

    def whole(self, pretrained: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the weights of encoder and writer, by the names and shapes of pretrained ones.

        Raises:
            ConfigError: The model has another encoder.
        """
        own = self.model.whole.state_dict()
        for name, weight in pretrained.items():
            if name not in own or own[name].shape != weight.shape:
                found = tuple(own[name].shape) if name in own else "nothing"
                raise ConfigError(
                    f"{self.name}: its encoder is not like `run.encoder`: expected {name} of "
                    f"{tuple(weight.shape)}, found {found}; name the encoder that it was made of"
                )
        return {name: own[name].to(weight) for name, weight in pretrained.items()}

    def fill(self, model: MultiTaskModel, tasks: Mapping[str, Task]) -> None:
        """Copies what stands above the encoder, as far as `kept` says, into a new model."""
        pairs = ((self.model.pooler, model.pooler), (self.model.writer, model.writer))
        for old, new in pairs:
            if old and new and _fits(old.state_dict(), new.state_dict()):
                new.load_state_dict(old.state_dict())
        for name in self.kept(model, tasks):
            model.head(name).load_state_dict(self.model.head(name).state_dict())

    def kept(self, model: MultiTaskModel, tasks: Mapping[str, Task]) -> list[str]:
        """Returns the tasks whose heads go on: those of the same labels and the same layers."""
        return [
            name
            for name, task in tasks.items()
            if name in self.tasks
            # The outputs of a head are numbered by its labels, so equal sizes are not enough.
            and self.tasks[name].labels.trained == task.labels.trained
            and type(self.tasks[name]) is type(task)
            and _fits(self.model.head(name).state_dict(), model.head(name).state_dict())
        ]


def _fits(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> bool:
    return {n: w.shape for n, w in ours.items()} == {n: w.shape for n, w in theirs.items()}
