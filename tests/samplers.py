"""Every kind of sampler, with settings by which a short study gets past its random beginning."""

from typing import get_args

from pydantic import TypeAdapter

from tuning.search.samplers.base import SamplerBase
from tuning.search.samplers.kinds import SamplerSection
from tuning.space.space import Entry, Space

SETTINGS: dict[str, dict[str, object]] = {
    "tpe": {"startup_trials": 3},
    "random": {},
    "gp": {"startup_trials": 3},
    "cma_es": {"population_size": 4},
    "qmc": {},
    "grid": {"points": 4},
    "nsga2": {"population_size": 4},
    "nsga3": {"population_size": 4},
    "imported": {
        "class_path": "optuna.samplers:TPESampler",
        "settings": {"n_startup_trials": 3},
    },
}
"""Kind -> settings."""

MODELS = ("tpe", "gp", "imported")
"""Kinds that soon know where the good points lie."""


def kinds() -> list[str]:
    """The words of the union."""
    sections = get_args(get_args(SamplerSection)[0])
    return [section.model_fields["kind"].default for section in sections]


def sampler_of(kind: str, **settings: object) -> SamplerBase:
    """The section of a kind, as a study file has it."""
    written = {"kind": kind, **SETTINGS[kind], **settings}
    return TypeAdapter(SamplerSection).validate_python(written)


def space_of(entries: dict[str, object]) -> Space:
    """A space, as a study file has it."""
    return Space(TypeAdapter(dict[str, Entry]).validate_python(entries))


PLAIN = {
    "rate": {"log_range": [1e-5, 1e-3]},
    "dropout": {"range": [0.0, 0.5]},
    "size": {"int_range": [1, 9]},
    "pooling": {"choice": ["mean", "first"]},
}
"""A space whose keys all trials have."""

CONDITIONAL = {
    "rate": {"log_range": [1e-5, 1e-3]},
    "freezing": {
        "choice": [{"kind": "none"}, {"kind": "lower_layers", "layers": {"int_range": [1, 5]}}]
    },
}
"""A space in which some trials have a key that others lack."""
