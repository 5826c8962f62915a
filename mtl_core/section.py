"""`Section`, the base of all sections of a study file, and the types of paths in them."""

import ast
import inspect
import re
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from mtl_core.addresses import not_local
from mtl_core.any_path import absolute, is_folder
from mtl_core.paths import FETCHED, fetched_path

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Section(BaseModel):
    """A frozen part of the study file; refuses unknown keys, NaN and infinity.

    Each section stands in the file of the class that it builds.
    """

    # Not `use_attribute_docstrings`: it reads the source of every section on import, which takes
    # 0.3 s, and only the JSON Schema has a use for them.
    # Deferred: most sections are never validated alone, but as parts of the whole.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)
    modules: ClassVar[tuple[str, ...]] = ()
    """Modules of optional packages that are imported when this is built; see `mtl_core.extras`."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Returns the JSON Schema, in which the line below a field is its description."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in _field_docs(cls).items():
            properties[cls.model_fields[name].alias or name]["description"] = text
        return schema


def plain_sections(schema: type[BaseModel]) -> dict[tuple[str, ...], type[BaseModel]]:
    """Returns the keys that lead to each section of a schema, the outer ones first.

    Without those that hang on a name or a kind, which a study file chooses.
    """
    found: dict[tuple[str, ...], type[BaseModel]] = {}
    level: dict[tuple[str, ...], type[BaseModel]] = {(): schema}
    while level:
        found |= level
        level = {
            (*path, name): field.annotation
            for path, section in level.items()
            for name, field in section.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        }
    return found


def keys_named(schema: type[BaseModel], name: str) -> list[str]:
    """Returns the dotted keys of the plain sections of a schema that end in a name."""
    sections = plain_sections(schema).items()
    return [".".join((*path, name)) for path, section in sections if name in section.model_fields]


def _field_docs(section: type[Section]) -> dict[str, str]:
    """Returns field -> the text that stands below it in the source, those of bases included."""
    docs: dict[str, str] = {}
    for base in reversed(section.mro()):
        if base is Section or not issubclass(base, Section):
            continue
        [body] = ast.parse(dedent(inspect.getsource(base))).body
        assert isinstance(body, ast.ClassDef)
        for field, below in pairwise(body.body):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ) if name in section.model_fields:
                    docs[name] = inspect.cleandoc(text)
    return docs


class PlacedText(str):
    """A string of a study file or command line that remembers the folder its paths start from.

    Relative paths mean "relative to this file" in a YAML file and "relative to the current
    folder" on the command line; the string itself is the only thing that knows where it stood.
    """

    base: Path

    def __new__(cls, text: str, base: Path) -> "PlacedText":
        """Makes the text `text` that stood in a file of the folder `base`."""
        placed = super().__new__(cls, text)
        placed.base = base
        return placed

    def __reduce__(self) -> tuple[type["PlacedText"], tuple[str, Path]]:
        """Lets the text be copied and sent between processes with its folder."""
        # The default makes copies from the text alone, which `__new__` refuses.
        return PlacedText, (str(self), self.base)


def resolve_path(value: Any) -> Any:
    """Returns the absolute path that a text or path stands for; other values unchanged.

    `fetched:NAME/FILE` is a file that `mtl fetch` puts into the cache.

    Raises:
        ValueError: It is an address.
    """
    if isinstance(value, str) and value.startswith(FETCHED):
        return fetched_path(value)
    if isinstance(value, str | Path):
        if wrong := not_local(value):
            raise ValueError(wrong)
        return absolute(value, value.base if isinstance(value, PlacedText) else Path.cwd())
    return value


def is_address(text: str) -> bool:
    """Returns whether a text is the address of a file on a server."""
    return text.startswith(("https://", "http://"))


def resolve_files(value: Any) -> Any:
    """Returns the absolute paths that a text, a path or a list of them stands for; see `DataFiles`.

    Raises:
        ValueError: It is an address of another protocol than HTTP, or an empty list.
    """
    if isinstance(value, list | tuple):
        if not value:
            raise ValueError("expected at least one file, found an empty list")
        return tuple(resolve_files(item) for item in value)
    if isinstance(value, str) and is_address(value):
        return str(value)
    if isinstance(value, str) and _ADDRESS.match(value):
        raise ValueError(f"expected a path, or an address with https://, found '{value}'")
    path = resolve_path(value)
    return str(path) if isinstance(path, Path) else path


DataPath = Annotated[Path, BeforeValidator(resolve_path)]
"""A path; a relative one is resolved against the file or folder in which it was written.

`fetched:NAME/FILE` names data that `mtl fetch` puts into the cache.
"""


DataFiles = Annotated[
    str | Annotated[tuple[str, ...], Field(min_length=1)], BeforeValidator(resolve_files)
]
"""A file, a folder, a glob such as `data/*.csv` or an address, or a list of them.

Relative ones are made absolute as in `DataPath`; addresses stay as they are.
"""


def resolve_folder(value: Any) -> Any:
    """Returns the absolute path of an existing folder; an id or other text as a plain string."""
    if not isinstance(value, str):
        return value
    path = resolve_path(value)
    # A hub id such as "org/name" looks like a relative path. It is one if there is such a folder,
    # or if it is written as one; then a missing folder is told of, and nothing is fetched from the
    # hub.
    is_path = is_folder(path) or value.startswith((".", "/", "~", FETCHED))
    return str(path) if is_path else str(value)


IdOrFolder = Annotated[str, BeforeValidator(resolve_folder)]
"""A hub id, or a local folder, which is made absolute as in `DataPath`."""
