"""The JSON Schema of study files, for editors: pydantic's, in the words of a study file."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tuning.study.config import StudyFile

SCHEMA_NAME = "study.schema.json"
"""Name of the schema beside the study files that point to it."""

_NAME = "[A-Za-z0-9_-]+"
"""What data sets and tasks may be called."""


def study_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of study files.

    It differs from pydantic's in what the loader adds and takes: `study.name` may be missing,
    `kind` may not, and the keys of `search` are those of `run`, joined by dots.
    """
    schema = StudyFile.model_json_schema()
    definitions = schema["$defs"]
    for section in definitions.values():
        _describe_kind(section)
    _tidy(schema)
    schema["required"] = ["run"]
    del definitions["Study"]["required"]
    schema["properties"]["study"]["description"] = definitions["Study"]["description"]
    search = definitions.pop("Search")
    entry = search.pop("additionalProperties")
    definitions["Entry"] = {"description": "What a key of `run` is drawn from.", **entry}
    keys = _search_keys(definitions)
    keys["properties"] |= search["properties"]
    # Several keys that are drawn together have a name of their own, which may be any.
    several = {"additionalProperties": {"$ref": "#/$defs/SimplexEntry"}}
    schema["properties"]["search"] = search | keys | several
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mtl study file"}
    return head | schema


def _describe_kind(section: dict[str, Any]) -> None:
    """Says what a kind is where an editor shows it, and asks for it: a section is told by it.

    Of a union one kind may be marked as the one that is meant where none is given.
    """
    kind = section.get("properties", {}).get("kind")
    if kind is not None:
        kind["description"] = section["description"].partition("\n")[0]
        kind.pop("default", None)
        if not kind.pop("may_be_left_out", False):
            section["required"] = list(dict.fromkeys(["kind", *section.get("required", ())]))


def _tidy(node: Any) -> None:
    """Takes out what only OpenAPI reads, titles that repeat the key, and clauses that overlap."""
    if isinstance(node, list):
        for item in node:
            _tidy(item)
    if not isinstance(node, dict):
        return
    for properties in (node.get("properties", {}), node.get("patternProperties", {})):
        for field in properties.values():
            field.pop("title", None)
    # Without a discriminator arms may overlap, such as "an entry" and "any constant".
    if "oneOf" in node and node.pop("discriminator", None) is None:
        node["anyOf"] = node.pop("oneOf")
    for value in node.values():
        _tidy(value)


def _search_keys(definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keys of `search`: plain ones by name, those below a data set or task by form."""
    properties: dict[str, Any] = {}
    patterns: dict[str, Any] = {}
    for key, description in _keys({"$ref": "#/$defs/RunConfig"}, definitions, ()):
        value = {"$ref": "#/$defs/Entry", "description": description}
        if _NAME not in key:
            properties.setdefault(".".join(key), value)
        else:
            parts = (part if part == _NAME else re.escape(part) for part in key)
            patterns.setdefault("^" + r"\.".join(parts) + "$", value)
    # A task whose kind stands outside the package has keys of its own.
    patterns[rf"^tasks\.{_NAME}\..+$"] = {"$ref": "#/$defs/Entry"}
    return {"properties": properties, "patternProperties": patterns}


def _keys(
    node: Mapping[str, Any], definitions: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yields the keys below a node of the schema, with their descriptions."""
    if "$ref" in node:
        node = definitions[node["$ref"].rpartition("/")[2]]
    for arm in (*node.get("oneOf", ()), *node.get("anyOf", ())):
        yield from _keys(arm, definitions, path)
    for name, below in node.get("properties", {}).items():
        if name != "kind":
            yield (*path, name), below.get("description", "")
            yield from _keys(below, definitions, (*path, name))
    for below in node.get("patternProperties", {}).values():
        yield from _keys(below, definitions, (*path, _NAME))
