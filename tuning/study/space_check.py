"""Checks the search space of a study file: every key and both ends of every range are tried."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pydantic import ValidationError

from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError, did_you_mean
from mtl_core.printable import one_line
from mtl_core.study_file import Document, describe, override, split_key
from mtl_core.validation import validate, validate_data
from mtl_core.yaml_text import key_text
from tuning.records import Value
from tuning.study.config import StudyFile


def space_errors(document: Document, study: StudyFile) -> list[str]:
    """Returns a line for each thing in the space that cannot be drawn or is of no use."""
    try:
        corners = list(study.search.space.corners())
    except ConfigError as error:
        key = str(error).partition(": ")[0]
        return [f"{document.place(split_key(key)).text}: {error}"]
    # The space itself has been checked; with each of a thousand options it would be once more.
    document = replace(document, data={**document.data, "search": {}})
    # A dict and no list: both ends of a range may be refused with the same words.
    lines: dict[str, str] = {}  # line -> its key
    for key, corner in corners:
        lines |= dict.fromkeys(_corner_errors(document, study, key, corner), key)
    # Between the ends only where both are fine: a range of fractions for whole numbers may have
    # whole ends. Keys that are refused already would be told of twice.
    bad = set(lines.values())
    for key, point in study.search.space.between():
        if key not in bad:
            lines |= dict.fromkeys(_corner_errors(document, study, key, point), key)
    return list(lines) or list(_unused_priors(document, study))


def point_errors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields a line for each point of `search.try` that cannot be tried, or says nothing new."""
    trials, points = study.study.trials, study.search.listed
    if points and len(points) > trials - 1:
        yield (
            f"{document.place(('search', 'try')).text}: search.try: found {len(points)} points, "
            f"which run behind the default recipe; allowed: {trials - 1}, since study.trials is "
            f"{trials}"
        )
    # Whole points that have been tried by then -> what they are called.
    tried = {_text(study.space.to_drawn(study.default_parameters)): "the default recipe"}
    for number, overrides in enumerate(points):
        path = ("search", "try", number)
        try:
            point = study.point_of(overrides)
            _check_point(study, point, tried)
        except ConfigError as error:
            key = str(error).partition(": ")[0]
            # Dotted keys may be written as nested sections, and whole sections under their key.
            written = [one for one in overrides if f"{key}.".startswith(f"{one}.")]
            where = document.place((*path, *written[:1])).text
            yield f"{where}: {key_text(path)}: {one_line(str(error))}"
        else:
            tried.setdefault(_text(point), key_text(path))


def _check_point(study: StudyFile, point: Mapping[str, Value], tried: Mapping[str, str]) -> None:
    """Refuses a point that says nothing, one that was tried before, and one that does not fit."""
    if not point:
        raise ConfigError("found nothing; allowed: one key of `search` or more, with their values")
    overrides = study.space.overrides_of(point)
    if overrides is None:  # What else it gets is drawn.
        return
    if before := tried.get(_text(point)):
        raise ConfigError(f"found once more what is tried before, in {before}")
    run = override(study.run.model_dump(mode="json"), overrides)
    validate_data(run, RunConfig, where="its values do not go together")


def _text(point: Mapping[str, Value]) -> str:
    return json.dumps(point, sort_keys=True)


def _unused_priors(document: Document, study: StudyFile) -> Iterator[str]:
    """Yields a line for every key with a prior where what draws it makes no use of priors."""
    sampler = study.study.sampler
    for key in study.decoding_space.with_priors():
        yield (
            f"{document.place(('search', key)).text}: search.{one_line(key)}: found a prior, of "
            "which no use is made where a key is searched without training; leave it out"
        )
    for key in () if sampler.uses_priors else study.space.with_priors():
        yield (
            f"{document.place(('search', key)).text}: search.{one_line(key)}: found a prior, of "
            f"which the sampler '{sampler.kind}' makes no use; leave out the prior, or set another "
            "study.sampler"
        )


def _corner_errors(
    document: Document, study: StudyFile, entry: str, corner: Mapping[str, object]
) -> Iterator[str]:
    """Yields what the schema has against one corner, at the place of its entry in `search`."""
    place = document.place(("search", entry))
    is_typed = place.is_override and ("search", entry) in document.places
    where = place.text if is_typed else f"{place.text}: search.{one_line(entry)}"
    unknown = list(filter(None, (_unknown_name(study, key) for key in corner)))
    if entry not in corner and entry.partition(".")[0] in RunConfig.model_fields:
        taken = ", ".join(RunConfig.model_fields)
        unknown = [f"expected a name of its own for several keys, other than {taken}"]
    if unknown:
        yield from (f"{where}: {text}" for text in unknown)
        return
    assignments = {f"run.{key}": value for key, value in corner.items()}
    try:
        tried = document.with_overrides(assignments, where=lambda *_: where)
    except ConfigError as error:
        yield str(error)
        return
    places = dict(tried.places)
    # The corner was written nowhere; what is wrong with it is to be mended where the space stands.
    for path in (split_key(f"run.{key}") for key in corner):
        sections = (path[:length] for length in range(1, len(path)))
        for at in (path, *(section for section in sections if section not in places)):
            places[at] = replace(place, is_override=True, text=where)
    try:
        validate(replace(tried, places=places), StudyFile)
    except ConfigError as error:
        for line in str(error).splitlines():
            is_whole = "expected a whole number" in line
            is_fraction = is_whole and study.search.entries[entry].draws_fractions
            hint = "; for whole numbers: int_range" if is_fraction else ""
            yield (line if line.startswith(where) else f"{where}: {line}") + hint
        return
    if wrong := _recipe_error(study, corner):
        yield f"{where}: {wrong}"


def _recipe_error(study: StudyFile, corner: Mapping[str, object]) -> str:
    """Returns what is wrong with the recipe of a corner that the schema allows, or ""."""
    # Trials put it into the whole recipe, in which the defaults of the written kind stand.
    try:
        recipe = RunConfig.model_validate(override(study.run.model_dump(mode="json"), corner))
    except ValidationError:
        key, value = next(iter(corner.items()))
        section = key.rpartition(".")[0]
        return (
            f"the other keys of '{section}' do not go with {describe(value)}; "
            f"search the section as a whole: {section}: {{choice: [{{kind: ..}}, {{kind: ..}}]}}"
        )
    if _reporting(recipe) == _reporting(study.run):
        return ""
    return (
        "training.reports_per_epoch and training.report_rows cannot be searched: trials are "
        "compared at the same parts of an epoch, on the same rows"
    )


def _reporting(recipe: RunConfig) -> tuple[int, int | None]:
    """Returns how often a recipe reports within an epoch, and on how many rows."""
    return recipe.training.reports_per_epoch, recipe.training.report_rows


def _unknown_name(study: StudyFile, key: str) -> str:
    """Returns what is wrong with the first names of a key of the space, or ""."""
    if key.startswith("run."):
        return "the keys of `search` are those of `run`; leave out 'run.'"
    named: dict[str, Mapping[str, object]] = {
        "tasks": study.run.tasks,
        "datasets": study.run.datasets,
    }
    section, _, rest = key.partition(".")
    name = rest.partition(".")[0]
    if not name or section not in named or name in named[section]:
        return ""
    return no_such(section, name, named[section])


def no_such(section: str, name: str, allowed: Iterable[str]) -> str:
    """Returns that a section of `run` has no task or data set of a name, and what it has."""
    return (
        f"run.{section} has no '{name}'; allowed: {', '.join(allowed)}."
        f"{did_you_mean(name, allowed)}"
    )
