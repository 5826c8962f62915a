"""cluster.yaml is what Ray's launcher takes; checked without any cloud."""

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]


@pytest.fixture
def cluster() -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load(ROOT / "cluster.yaml")
    return content


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    ray = find_spec("ray")
    assert ray is not None
    assert ray.origin is not None
    text = (Path(ray.origin).parent / "autoscaler" / "ray-schema.json").read_text()
    content: dict[str, Any] = json.loads(text)
    return content


def test_cluster_file_is_valid_by_the_schema_of_ray(
    cluster: dict[str, Any], schema: dict[str, Any]
) -> None:
    validator = jsonschema.validators.validator_for(schema)(schema)
    assert [error.message for error in validator.iter_errors(cluster)] == []


def test_schema_refuses_fractions_of_resources(
    cluster: dict[str, Any], schema: dict[str, Any]
) -> None:
    cluster["available_node_types"]["head"]["resources"] = {"CPU": 0.5}
    with pytest.raises(jsonschema.ValidationError, match=r"0\.5 is not of type 'integer'"):
        jsonschema.validate(cluster, schema)


def test_limits_of_the_node_types_fit_the_cluster(cluster: dict[str, Any]) -> None:
    types = cluster["available_node_types"]
    workers = [node for name, node in types.items() if name != cluster["head_node_type"]]
    assert cluster["head_node_type"] in types
    assert sum(node["min_workers"] for node in workers) == 0
    assert sum(node["max_workers"] for node in workers) == cluster["max_workers"] == 4


def test_nodes_run_the_pinned_ray_and_a_supported_python(cluster: dict[str, Any]) -> None:
    pinned = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned is not None
    assert cluster["docker"]["image"].endswith(f":{pinned[1]}-py311-gpu")


def test_every_node_asks_for_the_token(cluster: dict[str, Any]) -> None:
    starts = [
        command
        for key in ("head_start_ray_commands", "worker_start_ray_commands")
        for command in cluster[key]
        if "ray start" in command
    ]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token ray start" in command for command in starts)
    assert "~/.ray/auth_token" in cluster["file_mounts"].values()
