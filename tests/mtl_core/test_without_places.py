"""What a pushed model says of its data: no folder of the machine, no secret of an address."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from contract_files import FORMATS, write_formats
from pydantic import BaseModel, TypeAdapter

from mtl_core.data.formats.kinds import DatasetSection
from mtl_core.hub import without_places


@pytest.mark.parametrize("kind", FORMATS)
def test_no_format_tells_where_its_files_lie(kind: str, tmp_path: Path) -> None:
    secret = tmp_path / "private"
    secret.mkdir()
    write_formats(secret)

    def placed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: placed(inner) for key, inner in value.items()}
        return str(secret / value) if isinstance(value, str) else value

    plain = ("columns", "rows", "speaker")
    places = {key: placed(value) for key, value in FORMATS[kind].items() if key not in plain}
    settings = FORMATS[kind] | places | {"kind": kind}
    section: BaseModel = TypeAdapter(DatasetSection).validate_python(settings)
    run = {
        "encoder": {"name": str(secret / "bert")},
        "datasets": {"data": section.model_dump(mode="json")},
        "tasks": {"topic": {"kind": f"{secret}/kinds.py:Topic", "column": "/topic"}},
    }
    told = without_places(run)
    assert "private" not in json.dumps(told)
    assert told["encoder"] == {"name": "bert"}
    assert told["tasks"] == {"topic": {"kind": "kinds.py:Topic", "column": "/topic"}}
    files = {Path(name).name for name in re.findall(r"private/([^\"]+)", json.dumps(run))}
    assert all(name in json.dumps(told) for name in files)


def test_several_files_and_addresses_keep_no_secret() -> None:
    splits = {
        "train": ["/home/me/a.csv", "/home/me/b/*.csv", "https://me:key@host/data/a.csv?sig=key"],
        "dev": 0.1,
    }
    run = {
        "encoder": {"name": "org/bert"},
        "datasets": {"d": {"kind": "csv", "splits": splits}},
        "tasks": {},
    }
    told = without_places(run)
    assert told["encoder"] == {"name": "org/bert"}
    assert told["datasets"]["d"]["splits"] == {
        "train": ["a.csv", "*.csv", "https://host/data/a.csv"],
        "dev": 0.1,
    }
