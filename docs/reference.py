"""Writes `docs/reference/study_file.md` from the schema: `python docs/reference.py --page`."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tuning.study.schema import study_schema

PAGE = Path(__file__).parent / "reference" / "study_file.md"

_HEAD = """# Every key of a study file

Written from the schema by `python docs/reference.py --page`; `mtl schema` prints the same as JSON
Schema. A key in bold has to be given. `NAME` stands for a name that you choose. Every key of `run`
can be replaced on the command line, `--set optimizer.encoder_lr=2e-4`, and searched: it is then a
dotted key of `search`.
"""

_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minItems": "at least {} of them",
    "minLength": "at least {} characters",
}


def page() -> str:
    """Returns the page as Markdown."""
    schema = study_schema()
    definitions = schema["$defs"]
    lines = [_HEAD]
    for where, name in _sections(schema):
        lines += _section(where, definitions[name])
    # Of its keys all but one are those of `run`.
    search = schema["properties"]["search"]
    lines += _section("search", {**search, "properties": {"try": search["properties"]["try"]}})
    return "\n".join(lines) + "\n"


def _sections(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields where a section may stand, and its definition; each definition once, as met first."""
    seen: set[str] = set()
    waiting = [(key, node) for key, node in schema["properties"].items()]
    while waiting:
        where, node = waiting.pop(0)
        found = []
        for suffix, name in _references(node):
            if name in seen or name not in schema["$defs"]:
                continue
            seen.add(name)
            path = f"{where}{suffix}"
            section = schema["$defs"][name]
            # What an alias stands for is no section of its own.
            if "properties" in section:
                yield path, name
            inner = section.get("properties", {"": section})
            found += [(f"{path}.{key}".rstrip("."), value) for key, value in inner.items()]
        # What stands inside a section comes right behind it.
        waiting = found + waiting


def _references(node: Any) -> Iterator[tuple[str, str]]:
    """Yields (".NAME" or "", name of a definition) for all that a schema node refers to."""
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    if not isinstance(node, dict):
        return
    if "$ref" in node:
        yield "", node["$ref"].rpartition("/")[2]
    for key, value in node.items():
        if key == "patternProperties" or (key == "additionalProperties" and value):
            named = value.values() if key == "patternProperties" else [value]
            for item in named:
                yield from ((f".NAME{suffix}", name) for suffix, name in _references(item))
        elif key in ("anyOf", "oneOf", "allOf", "items", "prefixItems"):
            yield from _references(value)


def _section(where: str, section: Mapping[str, Any]) -> list[str]:
    properties = section["properties"]
    kinds = _kinds(properties.get("kind", {}))
    title = f"`{where}`" + (f", kind {' or '.join(f'`{kind}`' for kind in kinds)}" if kinds else "")
    lines = [f"## {title}", "", _text(section.get("description", "")), ""]
    lines += ["| key | type | default | what it is |", "|---|---|---|---|"]
    for key, node in properties.items():
        name = f"**`{key}`**" if key in section.get("required", ()) else f"`{key}`"
        default = _code(node["default"]) if "default" in node else ""
        lines.append(
            f"| {name} | {_type(node)} | {default} | {_cell(key, node.get('description', ''))} |"
        )
    return [*lines, ""]


def _kinds(kind: Mapping[str, Any]) -> list[str]:
    return [str(kind["const"])] if "const" in kind else [str(one) for one in kind.get("enum", ())]


def _type(node: Mapping[str, Any]) -> str:
    """Returns a node's type in words, with its range."""
    bounds = [form.format(node[key]) for key, form in _BOUNDS.items() if key in node]
    return ", ".join([_name(node), *bounds])


def _name(node: Mapping[str, Any]) -> str:
    if "const" in node or "enum" in node:
        return ", ".join(_code(value) for value in node.get("enum", [node.get("const")]))
    for key in ("anyOf", "oneOf", "allOf"):
        if key in node:
            # Sections of a union stand below under their kinds; one word is enough here.
            return " or ".join(dict.fromkeys(_type(item) for item in node[key]))
    if "$ref" in node:
        return "section"
    if node.get("type") == "array":
        return f"list of {_type(node.get('items', {}))}"
    words = {"integer": "whole number", "string": "text", "object": "section", "boolean": "yes/no"}
    return words.get(str(node.get("type")), str(node.get("type", "any")))


def _code(value: object) -> str:
    if isinstance(value, dict):
        inner = value.get("kind")
        return f"`{{kind: {inner}}}`" if inner else "`{...}`" if value else "`{}`"
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else str(value)
    return f"`{text}`" if text else '`""`'


def _text(text: str) -> str:
    # A bare address is no link in Markdown.
    return " ".join(
        f"<{word.rstrip('.,')}>{word[len(word.rstrip('.,')) :]}"
        if word.startswith("https://")
        else word
        for word in text.split()
    )


def _cell(key: str, text: str) -> str:
    # What a kind is stands above the table.
    return "" if key == "kind" else _text(text).replace("|", "\\|")


if __name__ == "__main__":
    if sys.argv[1:] == ["--page"]:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page())
