"""The section of a report on what a study ran with: seeds, data, precision, machine, versions."""

import logging
from collections.abc import Mapping, Sequence

from mtl_core.kept import BrokenError, read_kept
from mtl_core.markdown import code
from mtl_core.study_file import read_document
from tuning.records import TrialRecord
from tuning.report.markdown import table
from tuning.study.folder import StudyFolder

logger = logging.getLogger(__name__)

_DIGITS = 16
"""Of a hash, in hexadecimal: enough to tell data apart."""


def read_setup(folder: StudyFolder, records: Sequence[TrialRecord]) -> dict[str, str]:
    """Returns what -> what a study ran with, from its folder.

    Args:
        folder: The study folder.
        records: Its trials.

    Raises:
        ConfigError: Its study file, or what it keeps of its data, cannot be read.
    """
    precisions = dict.fromkeys(record.reports[-1].precision for record in records if record.reports)
    return {
        **_seeds(folder),
        "precision": ", ".join(filter(None, precisions)),
        **{
            f"hash of {name}": hash[:_DIGITS] for name, hash in (folder.read_inputs() or {}).items()
        },
        **_versions(folder),
    }


def setup_section(setup: Mapping[str, str]) -> list[str]:
    """Returns the parts of the section; [] where nothing is known."""
    rows = [[code(name), code(value)] for name, value in setup.items() if value]
    if not rows:
        return []
    told = "The machine is that of the driver, in its last session."
    return ["## What it ran with", table(["what", "value"], rows), told]


def _seeds(folder: StudyFolder) -> dict[str, str]:
    # As it was written, without the schema, which imports torch. The driver writes it resolved.
    data = read_document(folder.study).data
    sections = {"run.seed": data.get("run"), "study.seed": data.get("study")}
    return {
        key: str(section["seed"])
        for key, section in sections.items()
        if isinstance(section, Mapping) and "seed" in section
    }


def _versions(folder: StudyFolder) -> dict[str, str]:
    remedy = "the report says nothing of versions"
    try:
        return read_kept(folder.path / "versions.json", dict[str, str], remedy=remedy) or {}
    except BrokenError as error:
        logger.warning("%s", error)
        return {}
