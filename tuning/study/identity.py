"""Whether two study files are one study: which keys may change when it goes on, and which not."""

from typing import TYPE_CHECKING, Any

from mtl_core.differences import differing

if TYPE_CHECKING:
    from tuning.study.config import StudyFile

# How much is run, where and with what. What is trained, searched and compared is not among them,
# since trials from before and after a change could not be compared.
_MAY_CHANGE = frozenset(
    {
        "name",
        "storage",
        "trials",
        "hours",
        "total_epochs",
        "patience",
        "resources",
        "isolation",
        "max_attempts",
        "report_timeout_s",
        "trial_timeout_s",
        "decoding_tries",
        "finals",
        "keep_checkpoints",
        "memory_growth_gib",
        "loggers",
        "card",
    }
)
"""Keys of `study` that may have another value when a study goes on."""


def differences(before: "StudyFile", now: "StudyFile") -> dict[str, tuple[object, object]]:
    """Returns dotted key -> (before, now), for all that makes two studies of them.

    Where data lie does not count; whether their content is the same is asked by its hash.
    """
    return differing(identity(before), identity(now))


def free_name(study: "StudyFile") -> str:
    """Returns a name that no folder of the same storage has."""
    number = 2
    while (study.study.storage / f"{study.study.name}-{number}").exists():
        number += 1
    return f"{study.study.name}-{number}"


def identity(study: "StudyFile") -> dict[str, Any]:
    """Returns what makes two studies the same, as plain settings."""
    # Here, since it brings torch, and `mtl report` and `mtl status` open folders without it.
    from mtl_core.data.formats.base import without_places

    # Dumped with all defaults filled in: a file that spells one out is the same study.
    data = study.model_dump(mode="json")
    # What is read at decoding alone shapes no trial: it may be searched afterwards, or otherwise.
    for key in study.decoding_entries:
        del data["search"][key]
    data["study"] = {key: value for key, value in data["study"].items() if key not in _MAY_CHANGE}
    # Baselines may come later, but where they are part of the objective.
    if not study.study.objective.unmeasured(study.counted_tasks):
        del data["study"]["baselines"]
    datasets = data["run"]["datasets"]
    data["run"]["datasets"] = {name: without_places(one) for name, one in datasets.items()}
    return data
