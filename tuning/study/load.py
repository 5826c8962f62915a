"""Loading a study: the file or bundled name, overrides, and every check that needs no cluster."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from mtl_core.assets import Data, build_tasks, load_data
from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError
from mtl_core.study_file import (
    Document,
    override,
    parse_assignment,
    read_document,
    split_key,
)
from mtl_core.training.objectives.base import check_objective
from mtl_core.training.precision import Choice as PrecisionChoice
from mtl_core.training.precision import choose
from mtl_core.validation import validate
from tuning.space.entries import ENTRY_KEYS
from tuning.study.alone import alone_studies
from tuning.study.config import LONGEST_NAME, StudyFile
from tuning.study.encoders import check_encoders
from tuning.study.find import find_study
from tuning.study.goal_check import goal_errors
from tuning.study.report_check import check_reports
from tuning.study.search_check import search_errors
from tuning.study.space_check import no_such, point_errors, space_errors
from tuning.watch.loggers.base import LoggedStudy
from tuning.watch.loggers.logged import Logged

logger = logging.getLogger(__name__)


def load_study(study: str, assignments: Sequence[str] = ()) -> StudyFile:
    """Reads a study file, applies `key=value` overrides and checks the space against the schema.

    Args:
        study: Path of a study file, or the name of a bundled one.
        assignments: Overrides as on the command line.

    Raises:
        ConfigError: All errors of the file at once, one per line.
    """
    # The order counts. Overrides come after the name of the file, which they may replace; paths
    # become absolute before the corners of the space, which carry them, are tried.
    document = read_document(find_study(study))
    section = document.data.get("study")
    if section is None or (isinstance(section, dict) and "name" not in section):
        # What a folder may be called; the file itself may be called anything.
        name = re.sub(r"[^A-Za-z0-9._]+", "-", find_study(study).stem).lstrip("._-")
        document = document.with_overrides({"study.name": name[:LONGEST_NAME] or "study"})
    overrides = dict(parse_assignment(text) for text in assignments)
    written = document
    document = document.with_overrides(overrides)
    if misnamed := list(_misnamed(written, document, overrides)):
        raise ConfigError("\n".join(misnamed))
    loaded = validate(document, StudyFile)
    document = _with_absolute_options(document, loaded)
    # Validated twice: which options are paths only a valid document tells.
    loaded = validate(document, StudyFile)
    errors = [*goal_errors(document, loaded), *space_errors(document, loaded)]
    errors = errors or [
        *_trials_errors(document, loaded),
        *point_errors(document, loaded),
        *search_errors(document, loaded),
    ]
    if errors:
        raise ConfigError("\n".join(errors))
    return loaded


def _trials_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields that there is nothing in which several trials could differ."""
    # As it was written: the schema's own default is for studies that search.
    trials = _section(document, "study").get("trials", 1)
    if not study.space and trials != 1:
        where = document.place(("study", "trials")).text
        what = (
            "with nothing to search"
            if not study.search.entries
            else ("with nothing to search but what is searched without training")
        )
        yield (
            f"{where}: study.trials: {what} only the default recipe is run; expected 1, found "
            f"{trials}"
        )


def check_data(study: StudyFile) -> Data:
    """Reads the data, and checks the objective, every encoder and the reports within epochs.

    For each task alone as well, where the study has baselines. What is read stays in the cache.

    Raises:
        ConfigError: No task has a score for the objective, an encoder cannot be used as a recipe of
            the study uses it, or an epoch has fewer steps than reports.
        DataError: The data cannot be used.
    """
    data = load_data(study.run)
    check_objective(study.study.objective, build_tasks(study.run, data.datasets))
    check_encoders(study, data)
    check_reports(study, data)
    for alone in alone_studies(study).values():
        check_data(alone)
    return data


def check_loggers(study: StudyFile) -> None:
    """Refuses loggers for which a package or a key is missing here, or what they keep is broken.

    Raises:
        ConfigError: A line for each.
    """
    wrong, logged = [], LoggedStudy.of(study.folder)
    for number, one in enumerate(study.study.loggers):
        try:
            one.check(f"study.loggers[{number}]")
            Logged(logged.folder, one.kind, one.place(logged))
        except ConfigError as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigError("\n".join(wrong))


def tell_notes(data: Data) -> None:
    """Logs what a user should know of the data: on the terminal, whatever is shown, and the file.

    Once per command, by the process that the user started: what trainers log does not come to
    the user.
    """
    for note in data.notes:
        logger.warning("%s: %s", note.level, note.line)


def precision_here(study: StudyFile) -> PrecisionChoice | None:
    """Returns what the trainers of a study would compute in on this machine.

    None when they take GPUs and there is none here.

    Raises:
        ConfigError: The encoder's configuration cannot be loaded.
    """
    takes_gpus = study.study.resources.gpus > 0
    if takes_gpus and not torch.cuda.is_available():
        return None
    encoder = study.run.encoder.configuration()
    return choose(
        study.run.training.precision, torch.device("cuda" if takes_gpus else "cpu"), encoder
    )


def _with_absolute_options(document: Document, study: StudyFile) -> Document:
    """Returns the document with the paths among the options of a choice made absolute.

    Options are kept as plain text, in the study folder too, which no longer tells where it stood.
    """
    run, search = _section(document, "run"), dict(_section(document, "search"))
    for key, entry in study.search.entries.items():
        written = search[key]
        assert isinstance(written, Mapping)
        # Only options: the ends of a range are numbers.
        if examples := entry.examples():
            search[key] = _with_absolute(run, key, written, examples)
    if study.search.listed:
        search["try"] = [
            {key: _absolute(run, key, value, value) for key, value in point.items()}
            for point in study.search.listed
        ]
    return replace(document, data={**document.data, "search": search})


def _with_absolute(
    run: Mapping[str, object], key: str, entry: Mapping[str, Any], examples: Sequence[object]
) -> dict[str, object]:
    """Returns an entry with the paths among its options absolute, also where a prior names one.

    Args:
        run: The recipe.
        key: The key of the entry.
        entry: As it was written.
        examples: A value of the key for each of its options.
    """
    kind = next(name for name in entry if name in ENTRY_KEYS)
    written = entry[kind]
    options = [_absolute(run, key, *pair) for pair in zip(written, examples, strict=True)]
    found = {**entry, kind: options}
    prior = entry.get("prior")
    if prior and prior["likely"] in written:
        found["prior"] = {**prior, "likely": options[written.index(prior["likely"])]}
    return found


def _absolute(run: Mapping[str, object], key: str, option: object, example: object) -> object:
    """Returns an option of a key of `run` with its paths absolute."""
    # Which texts are paths the schema alone knows, so it is put into the recipe, validated, and
    # read back from there. `example` has what was written, with numbers in the place of ranges; a
    # text of its own tells from which folder its path starts, so it has to come as written.
    is_section = isinstance(option, Mapping)
    try:
        config = RunConfig.model_validate(override(run, {key: example if is_section else option}))
    except (ConfigError, ValidationError):  # What is wrong with it is told later.
        return option
    resolved: object = config.model_dump(mode="json")
    for name in split_key(key):
        resolved = resolved.get(name) if isinstance(resolved, Mapping) else None
    return _with_paths_of(resolved, option)


def _with_paths_of(resolved: object, written: object) -> object:
    """Returns what was written with the absolute paths that it was resolved to."""
    # Along the keys that were written, so that defaults which the schema filled in stay out: an
    # option is told from others by what the user wrote.
    if isinstance(written, Mapping) and isinstance(resolved, Mapping):
        return {k: _with_paths_of(resolved.get(k), value) for k, value in written.items()}
    is_path = (
        isinstance(written, str) and isinstance(resolved, str) and Path(resolved).is_absolute()
    )
    return resolved if is_path else written


def _section(document: Document, name: str) -> Mapping[str, object]:
    return _section_of(document.data, name)


def _section_of(data: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = data.get(name)
    return section if isinstance(section, dict) else {}


def _misnamed(written: Document, document: Document, overrides: Iterable[str]) -> Iterator[str]:
    """Yields a line for every override inside of a task or data set that is not there.

    Args:
        written: The study file.
        document: The file with the overrides, which make one with a `kind`.
        overrides: Their whole keys.
    """
    for key in overrides:
        path = split_key(key)
        # A task or data set as a whole is a new one.
        if len(path) < 4 or path[0] != "run" or path[1] not in ("tasks", "datasets"):
            continue
        section, name = path[1:3]
        before, after = (_section_of(_section(one, "run"), section) for one in (written, document))
        if name not in before and "kind" not in _section_of(after, name):
            yield f"{document.place(path).text}: {no_such(section, name, before)}"
