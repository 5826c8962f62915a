"""Checks a document against its schema: returns a frozen model, or tells every error at once."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from types import UnionType
from typing import Annotated, TypeGuard, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mtl_core.errors import ConfigError, did_you_mean, nearest
from mtl_core.printable import one_line
from mtl_core.section import keys_named, plain_sections
from mtl_core.study_file import Document, Origin, describe, split_key
from mtl_core.yaml_text import KeyPath, key_text

S = TypeVar("S", bound=BaseModel)

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a section",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a section",
    "model_type": "a section",
    "path_type": "a path",
    "string_type": "text",
    "tuple_type": "a list",
}
"""Pydantic's error types of which the message names Python types instead of YAML ones."""
_BOUNDS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
_NOTHING = object()
_MOST_ERRORS = 50
"""Lines of one text: a file with more is in another format."""


def validate(document: Document, schema: type[S]) -> S:
    """Returns the document as a model of `schema`.

    A validator of a section may raise a `ValueError` of several lines, each an error of its own;
    a line that begins with "key.below: " is shown at that key.

    Raises:
        ConfigError: One line for every error, in the order of the file; only the first of many.
    """
    try:
        return schema.model_validate(document.data)
    except ValidationError as error:
        checker = _Explainer(document, schema)
        problems: list[tuple[Origin, str]] = []
        # The arms of a union without `kind` fail one after the other, at the same key: they become
        # one error, which tells what any of them would have taken.
        errors = error.errors(include_url=False)
        meant = checker.meant(errors)
        groups = [
            (path, list(group))
            for path, group in groupby(errors, key=checker.path)
            # A misspelt key is one mistake: that the key which was meant is missing follows.
            if path not in meant
        ]
        for path, group in groups:
            # In a union of sections and scalars, what is wrong inside a section is told; that the
            # section is no scalar either is left out.
            is_arm = all(details["type"].endswith("_type") for details in group)
            if not (is_arm and any(_is_below(other, path) for other, _ in groups)):
                problems += checker.explain(path, group)
        # A key or value may hold a line end, which would look like another error.
        told = [one_line(f"{place.text}: {text}") for place, text in sorted(problems)]
        lines = list(dict.fromkeys(told))
        if len(lines) > _MOST_ERRORS:
            lines[_MOST_ERRORS:] = [f"and {len(lines) - _MOST_ERRORS:,} more errors like these"]
        raise ConfigError("\n".join(lines)) from error


def validate_data(data: Mapping[str, object], schema: type[S], *, where: str) -> S:
    """Returns plain data that stands in no file as a model of `schema`; see `validate`.

    Raises:
        ConfigError: One line for every error, each beginning with `where`.
    """
    place = Origin(is_override=False, line=0, text=where)
    return validate(Document(data, {(): place}), schema)


class _Explainer:
    """Puts pydantic's errors into the words of a study file."""

    def __init__(self, document: Document, schema: type[BaseModel]) -> None:
        self._document = document
        self._schema = schema

    def path(self, details: ErrorDetails) -> KeyPath:
        """Returns the keys of an error's location without the union tags pydantic puts in."""
        path: list[str | int] = []
        value: object = self._document.data
        is_tag_seen = False
        # Pydantic puts tags of unions and names of validators between the keys. A tag is the value
        # of `kind`, and comes before the keys of its section; so a key that happens to be called
        # like the kind is still taken for a key.
        for part in details["loc"]:
            if part == _kind(value) and not is_tag_seen:
                is_tag_seen = True
                continue
            inner = _child(value, part)
            if inner is not _NOTHING:
                path.append(part)
                value, is_tag_seen = inner, False
        # A key that is missing leads to nothing in the data, but is what the error is about.
        is_missing = details["type"] == "missing"
        return (*path, details["loc"][-1]) if is_missing else tuple(path)

    def meant(self, errors: list[ErrorDetails]) -> set[KeyPath]:
        """Returns the missing keys that unknown ones beside them are nearest to."""
        unknown = [self.path(one) for one in errors if one["type"] == "extra_forbidden"]
        missing = {self.path(one) for one in errors if one["type"] == "missing"}
        near = {
            (*path[:-1], nearest(str(path[-1]), self._fields(path[:-1]))): path for path in unknown
        }
        return missing & near.keys()

    def explain(self, path: KeyPath, group: list[ErrorDetails]) -> Iterator[tuple[Origin, str]]:
        """Yields place and text of the errors at one key."""
        details = group[0]
        match details["type"]:
            case "missing":
                yield self._document.place(path), f"missing key '{key_text(path)}'"
            case "extra_forbidden":
                yield self._document.place(path), self._unknown_key(path)
            case "union_tag_not_found":
                text = f"missing key '{key_text((*path, 'kind'))}'; allowed: "
                yield self._document.place(path), text + ", ".join(self._kinds(path))
            case "union_tag_invalid":
                kind, kinds = str(details["ctx"]["tag"]), _quoted(details["ctx"]["expected_tags"])
                text = f"unknown kind '{kind}'; allowed: {', '.join(kinds)}."
                yield self._at((*path, "kind"), text + did_you_mean(kind, kinds))
            case "value_error" | "assertion_error":
                # `ValueError`s of our own validators; see `validate` for their form.
                for line in str(details["ctx"]["error"]).splitlines():
                    yield self._own_error(path, line)
            case _:
                yield self._at(path, mismatch(group))

    def _at(self, path: KeyPath, text: str) -> tuple[Origin, str]:
        """Returns the place of a key, and the text with the key before it."""
        place = self._document.place(path)
        # "--set key=value" names the key already, and the whole file has none.
        if not path or (place.is_override and path in self._document.places):
            return place, text
        return place, f"{key_text(path)}: {text}"

    def _unknown_key(self, path: KeyPath) -> str:
        allowed = self._fields(path[:-1])
        near = self._elsewhere(path) or did_you_mean(str(path[-1]), allowed)
        return f"unknown key '{key_text(path)}'; allowed here: {', '.join(allowed)}.{near}"

    def _elsewhere(self, path: KeyPath) -> str:
        """Returns " Did you mean 'x.y'?" for a key of this name in another section, or ""."""
        found = keys_named(self._schema, str(path[-1]))
        # A task or a data set has keys of its own, such as `name`, that mean something else there.
        if not found or path[:-1] not in plain_sections(self._schema):
            return ""
        # As `--set` takes it, whatever the file has: keys without a part are those of `run`.
        shown = found[0].removeprefix("run.") if path[0] == "run" else found[0]
        return f" Did you mean '{shown}'?"

    def _own_error(self, path: KeyPath, text: str) -> tuple[Origin, str]:
        """Returns place and text of a `ValueError` of ours, which may name a key below `path`."""
        key, _, rest = text.partition(": ")
        below = split_key(key)
        value = self._value(path)
        known = [*self._fields(path), *(value if isinstance(value, Mapping) else ())]
        if rest and below[0] in known:
            return self._at((*path, *below), rest)
        return self._at(path, text)

    def _fields(self, path: KeyPath) -> list[str]:
        sections = self._sections(path)
        return list(dict.fromkeys(name for section in sections for name in section.model_fields))

    def _kinds(self, path: KeyPath) -> list[str]:
        return [kind for section in self._sections(path) for kind in _kinds(section)]

    def _value(self, path: KeyPath) -> object:
        value: object = self._document.data
        for part in path:
            value = _child(value, part)
        return value

    def _sections(self, path: KeyPath) -> list[type[BaseModel]]:
        """Returns the sections that may stand at `path`, as far as the data tell them apart."""
        options: list[object] = [self._schema]
        for depth, part in enumerate(path, start=1):
            options = [arm for option in options for arm in _arms(_inside(option, part))]
            kind = _kind(self._value(path[:depth]))
            # Where the kind is missing or unknown, all arms stay: the error lists the kinds of all.
            options = [option for option in options if kind in _kinds(option)] or options
        return [option for option in options if _is_section(option)]


def _is_below(path: KeyPath, other: KeyPath) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _kind(value: object) -> object:
    return value.get("kind", _NOTHING) if isinstance(value, Mapping) else _NOTHING


def _child(value: object, part: str | int) -> object:
    """Returns what stands under a key or index of plain data, or `_NOTHING`."""
    if isinstance(value, Mapping):
        return value.get(part, _NOTHING)
    if isinstance(value, list | tuple) and isinstance(part, int) and part < len(value):
        return value[part]
    return _NOTHING


def _is_section(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _kinds(annotation: object) -> tuple[str, ...]:
    """Returns the `kind` values of a section, () for one without."""
    field = annotation.model_fields.get("kind") if _is_section(annotation) else None
    return get_args(field.annotation) if field else ()


def _arms(annotation: object) -> Iterator[object]:
    """Yields the members of a union, or the annotation itself."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _arms(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from _arms(member)
    else:
        yield annotation


def _inside(annotation: object, part: str | int) -> object:
    """Returns the annotation of what stands under a key or index."""
    if _is_section(annotation):
        for name, field in annotation.model_fields.items():
            if part == (field.alias or name):
                return field.annotation
        # A section that takes any other key says of what type.
        any_other = annotation.__annotations__.get("__pydantic_extra__")
        return get_args(any_other)[-1] if any_other else None
    # dict[K, V], list[V] and tuple[V, ...] hold V last; a tuple without an ellipsis has a type for
    # each place.
    members = [member for member in get_args(annotation) if member is not Ellipsis]
    if get_origin(annotation) is tuple and isinstance(part, int) and part < len(members):
        return members[part]
    return members[-1] if members else None


def mismatch(group: list[ErrorDetails]) -> str:
    """Returns what was expected at a key, by any arm of a union, and what was found."""
    expected = list(dict.fromkeys(filter(None, map(_expected, group))))
    details = group[0]
    if not expected:
        # Pydantic's own words, for errors that no table here has; they follow a key and a colon.
        message = details["msg"].replace(" after validation", "")
        return message[:1].lower() + message[1:]
    names = [name for text in expected for name in _quoted(text)]
    found = describe(details["input"])
    near = did_you_mean(str(details["input"]), names)
    return f"expected {' or '.join(expected)}, found {found}" + (f".{near}" if near else "")


def _quoted(text: str) -> list[str]:
    """Returns the names that pydantic put in quotes."""
    return re.findall(r"'([^']*)'", text)


def _expected(details: ErrorDetails) -> str:
    """Returns what the schema takes, "" where pydantic's message does not put it so."""
    if details["type"] in _EXPECTED:
        return _EXPECTED[details["type"]]
    if details["type"] == "too_long":
        return f"at most {details['ctx']['max_length']} items"
    message = details["msg"]
    text = message.removeprefix("Input should be ")
    if text == message:
        return ""
    return f"a number {text}" if details["type"] in _BOUNDS else text
