"""Addresses of storage elsewhere, such as s3://bucket: as a path one would name a local folder."""

import re
from pathlib import Path

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")
"""Of two letters or more: one would be a drive of Windows. `Path` makes one slash of two."""


def not_local(path: str | Path) -> str:
    """Returns what is wrong with an address in the place of a path; "" of a path.

    A local folder of such a name is "./s3:/bucket".
    """
    found = _SCHEME.match(str(path))
    if found is None:
        return ""
    address = f"{found[1]}://{str(path)[found.end() :]}"
    return (
        f"expected a path, found the address '{address}'; only folders of this machine, or those "
        "that are mounted on it, can be used: mount it, or copy what lies there"
    )
