"""Any sampler of Optuna's, of OptunaHub's or of your own, by where it is imported from."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.imported import imported, with_absolute_path
from mtl_core.printable import one_line
from tuning.search.samplers.base import SamplerBase
from tuning.space.space import Space

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

    from tuning.search.samplers.seeded import Draw


def _checked_path(value: Any) -> Any:
    """Returns where a class stands, with an absolute path; left as it is where it is no text."""
    if not isinstance(value, str):
        return value
    source, _, name = value.rpartition(":")
    if not source or not name.isidentifier():
        raise ValueError(f"expected file.py:Class or package.module:Class, found '{value}'")
    return with_absolute_path(value)


class ImportedSection(SamplerBase):
    """Any other sampler: a class of Optuna, of a module of OptunaHub, or of your own.

    Its code runs in the driver of the study. Each trial gets a new one, which knows of the trials
    so far what the study tells it, and nothing else: what a sampler keeps in itself is gone.
    """

    uses_priors: ClassVar[bool] = True
    kind: Literal["imported"] = "imported"
    class_path: Annotated[str, BeforeValidator(_checked_path)]
    """`package.module:Class`, or `file.py:Class`; a class derived from Optuna's `BaseSampler`."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the class, by name; `seed` is given by the study."""

    def check(self, space: Space) -> None:
        """Imports the class and makes one.

        Raises:
            ConfigError: It cannot be imported or made, or is no sampler.
        """
        del space
        sampler = self._class()
        if "seed" in self.settings:
            raise ConfigError("settings: found 'seed', which is the study's: study.seed")
        parameters = inspect.signature(sampler).parameters
        takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
        for name in self.settings if not takes_any else ():
            if name not in parameters:
                hint = did_you_mean(name, parameters)
                allowed = ", ".join(sorted(parameters.keys() - {"seed"})) or "none"
                raise ConfigError(f"settings: unknown key '{name}'; allowed here: {allowed}.{hint}")
        # Whatever its code raises is told as an error of the study file, as on import.
        try:
            self._made(sampler, 0)
        except Exception as error:
            raise ConfigError(
                f"settings: '{self.class_path}' cannot be made: {one_line(str(error))}"
            ) from error

    def doubts(self, space: Space, trials: int) -> Iterator[str]:
        """Says so when its draws cannot be repeated."""
        del space, trials
        if "seed" not in inspect.signature(self._class()).parameters:
            yield (
                f"study.sampler: {self.class_path} takes no seed: where it draws at random, the "
                "study tries other points each time"
            )

    def of_trial(self, draw: "Draw") -> "BaseSampler":
        """Returns the sampler."""
        return self._made(self._class(), draw.seed)

    def _made(self, sampler: "type[BaseSampler]", seed: int) -> "BaseSampler":
        seeds = {"seed": seed} if "seed" in inspect.signature(sampler).parameters else {}
        return sampler(**self.settings, **seeds)

    def _class(self) -> "type[BaseSampler]":
        from optuna.samplers import BaseSampler, CmaEsSampler

        try:
            found, _ = imported(self.class_path)
        except ImportError as error:
            raise ConfigError(f"class_path: {error}") from error
        if not (isinstance(found, type) and issubclass(found, BaseSampler)):
            raise ConfigError(
                f"class_path: '{self.class_path}' is not a class derived from Optuna's BaseSampler"
            )
        if issubclass(found, CmaEsSampler):
            raise ConfigError(
                f"class_path: '{self.class_path}' keeps pickles in the journal of the study, which "
                "are not loaded; use kind: cma_es"
            )
        if inspect.isabstract(found):
            missing = ", ".join(sorted(found.__abstractmethods__))
            raise ConfigError(f"class_path: '{self.class_path}' lacks {missing}")
        return found
