"""The search space of a study: draws the overrides of a trial, and knows every parameter."""

import random
from collections.abc import Callable, Container, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.study_file import override
from tuning.records import Recipe, Value
from tuning.space.entries import Entry as Entry
from tuning.space.parameters import Parameter as Parameter
from tuning.space.parameters import Parameters, Resolve, Section
from tuning.space.perturbation import Perturbation

if TYPE_CHECKING:
    from optuna.trial import BaseTrial


class Space:
    """What is searched: draws overrides, and knows every parameter that can occur."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        """Builds the space of a study.

        Args:
            entries: Dotted key of `run` -> what its value is drawn from.

        Raises:
            ConfigError: Two entries set the same key, or one lies inside of another.
        """
        # One tree per entry; its leaves are what Optuna knows.
        self._nodes = {key: entry.build(key, key) for key, entry in entries.items()}
        self._check_apart()
        self.parameters = [leaf for node in self._nodes.values() for leaf in node.leaves()]
        """Every parameter that Optuna may draw, in the order of the study file."""
        self.in_every_point = frozenset(
            leaf.name for node in self._nodes.values() for leaf in node.certain()
        )
        """Names of the parameters that do not hang on the section that another one chose."""
        self.shown = [column for node in self._nodes.values() for column in node.shown()]
        """Every parameter that trials may be shown with, in the order of the study file."""

    def __bool__(self) -> bool:
        """Whether there is anything to draw."""
        return bool(self._nodes)

    @property
    def targets(self) -> list[str]:
        """The keys of `run` that it sets."""
        return [key for node in self._nodes.values() for key in node.targets()]

    def _check_apart(self) -> None:
        """Refuses keys of which one would replace what the other has set."""
        # Overrides are applied one after the other.
        owners: dict[str, str] = {}  # Key of `run` -> the entry that sets it.
        for name, node in self._nodes.items():
            for key in node.targets():
                if key in owners:
                    where = f"'{owners[key]}', which sets it, too"
                    raise ConfigError(f"search.{name}: '{key}' stands in {where}")
                owners[key] = name
        for key, name in owners.items():
            for outer in owners:
                if key.startswith(f"{outer}."):
                    where = f"lies inside '{outer}', which is searched as a whole"
                    what = "" if key == name else f"'{key}' "
                    raise ConfigError(f"search.{name}: {what}{where}")

    def sample(self, trial: "BaseTrial") -> dict[str, object]:
        """Draws a point: dotted key of `run` -> value, sections as {"kind": ..., ...}."""
        # In the order of the study file: a sampler draws one number after the other, so that
        # another order would give other points for the same seed.
        drawn = [node.sample(trial) for node in self._nodes.values()]
        return {key: value for one in drawn for key, value in one.items()}

    def changeable(self, may_change: Callable[[str], bool]) -> list[str]:
        """Returns the entries of which every key that they set may change."""
        return [name for name, node in self._nodes.items() if all(map(may_change, node.targets()))]

    def perturbed(
        self,
        recipe: Recipe,
        may_change: Callable[[str], bool],
        perturbation: Perturbation,
        draw: random.Random,
    ) -> Recipe:
        """Returns a recipe of the space with small changes.

        What lies outside of the space, as the study file's own values may, stays as it is.

        Args:
            recipe: Overrides and parameters.
            may_change: Whether a dotted key of `run` may change.
            perturbation: How far values move.
            draw: Random numbers.
        """
        from optuna.trial import FixedTrial

        overrides, parameters = dict(recipe[0]), dict(recipe[1])
        drawn = self.to_drawn(parameters)
        for name in self.changeable(may_change):
            node = self._nodes[name]
            leaves = list(node.leaves())
            if all(leaf.name in drawn for leaf in leaves):
                moved = {
                    leaf.name: perturbation.moved(leaf.domain, drawn[leaf.name], draw)
                    for leaf in leaves
                }
                overrides |= node.sample(FixedTrial(moved))
                parameters |= dict(node.of_drawn(moved))
        return overrides, parameters

    def of_drawn(self, drawn: Parameters) -> dict[str, Value]:
        """Returns the parameters that a trial is shown with, of what Optuna has drawn for it."""
        found = [node.of_drawn(drawn) for node in self._nodes.values()]
        return {name: value for one in found for name, value in one}

    def to_drawn(self, shown: Parameters) -> dict[str, Value]:
        """Returns what Optuna would have drawn for these parameters.

        Without those that it never draws: names that are not there, values outside the space.
        """
        found = [node.to_drawn(shown) for node in self._nodes.values()]
        return {name: value for one in found for name, value in one}

    def with_priors(self) -> Iterator[str]:
        """Yields the keys of the space in which something has a prior."""
        for key, node in self._nodes.items():
            if any(leaf.prior is not None for leaf in node.leaves()):
                yield key

    def point_of(self, overrides: Mapping[str, object], resolve: Resolve) -> dict[str, Value]:
        """Returns what Optuna would have drawn for a point, or for a part of one.

        Args:
            overrides: Dotted key of `run` -> value, or nested sections. What is left out, also of a
                section, is left open.
            resolve: As in `default_parameters`.

        Raises:
            ConfigError: It sets what is not searched, or to what is never drawn; the text begins
                with the key.
        """
        point = override({}, overrides)
        for key in _set_keys(point, self.targets, ""):
            if key not in self.targets:
                near = did_you_mean(key, self.targets)
                allowed = ", ".join(self.targets)
                raise ConfigError(f"{key}: is not searched; allowed: {allowed}.{near}")
        return {k: v for node in self._nodes.values() for k, v in node.given(point, resolve)}

    def overrides_of(self, point: Parameters) -> dict[str, object] | None:
        """Returns the overrides of a point, given as Optuna draws it; None of a part of one."""
        try:
            return self.sample(cast("BaseTrial", _Given(point)))
        except KeyError:
            return None

    def default_parameters(self, run: Mapping[str, object], resolve: Resolve) -> dict[str, Value]:
        """Returns the parameters in effect in the study file's own recipe.

        Args:
            run: The resolved `run` section as plain nested data.
            resolve: Puts overrides of `run` into it and returns the whole, defaults filled in.

        Returns:
            Parameter name -> value, which may lie outside the space; what the recipe leaves open
            is left out.
        """
        found = [node.in_effect(run, resolve) for node in self._nodes.values()]
        return {name: value for one in found for name, value in one}

    def corners(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Yields (key, overrides) for both ends of every range and for every option of a choice.

        Each sets one key and leaves the others alone; if all of them fit the schema of `run`,
        so does what will be sampled.
        """
        for key, node in self._nodes.items():
            for overrides in node.corners():
                yield key, overrides

    def between(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Yields (key, overrides) for a point inside every range, as `corners`."""
        for key, node in self._nodes.items():
            for overrides in node.between():
                yield key, overrides


class _Given:
    """A trial, as far as `Space.sample` needs one, of a point that is there."""

    def __init__(self, point: Parameters) -> None:
        self._point = point

    def _of(self, name: str, *args: object, **settings: object) -> Any:
        return self._point[name]

    suggest_float = suggest_int = suggest_categorical = _of


def _set_keys(section: Section, targets: Container[str], path: str) -> Iterator[str]:
    """Yields the dotted keys that a section sets; what lies inside of a target is left to it."""
    for key, value in section.items():
        if f"{path}{key}" not in targets and isinstance(value, Mapping) and value:
            yield from _set_keys(value, targets, f"{path}{key}.")
        else:
            yield f"{path}{key}"
