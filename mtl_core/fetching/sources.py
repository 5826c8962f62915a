"""The table of data that can be fetched: where each file comes from, and what its content is."""

from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import Field, TypeAdapter
from ruamel.yaml import YAML

from mtl_core.section import Section

_NAME = "[A-Za-z0-9_-][A-Za-z0-9._-]*"
_FileName = Annotated[str, Field(pattern=f"^{_NAME}(/{_NAME})*$")]
"""Names joined by "/", none of which is hidden or leads upwards."""


class SourceFile(Section):
    """A file of a public git repository."""

    path: _FileName
    """Its path in the repository."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """SHA-256 of its content, as hexadecimal digits."""
    bytes: int = Field(ge=1)
    """Its size."""


class Source(Section):
    """A data set that can be fetched, from one commit of a repository on GitHub."""

    about: str
    """What it is, and the paper to cite."""
    licence: str
    """Its licence, by the name that SPDX has for it."""
    repository: str = Field(pattern=r"^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$")
    """Owner and name of the repository."""
    commit: str = Field(pattern=r"^[0-9a-f]{40}$")
    """The commit, which fixes the content."""
    files: dict[_FileName, SourceFile] = Field(min_length=1)
    """Name below the folder of the data set -> the file."""

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files.values())

    def address(self, name: str) -> str:
        """Returns the address of one of `files`."""
        root = "https://raw.githubusercontent.com"
        return f"{root}/{self.repository}/{self.commit}/{self.files[name].path}"


@cache
def known_sources() -> dict[str, Source]:
    """Returns the name of each data set that can be fetched -> where it comes from."""
    text = files("mtl_core.fetching").joinpath("sources.yaml").read_text(encoding="utf-8")
    return TypeAdapter(dict[str, Source]).validate_python(YAML(typ="safe").load(text))
