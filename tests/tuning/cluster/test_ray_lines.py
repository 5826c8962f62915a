"""What Ray prints and logs in the driver becomes lines of our log, as Ray 2.60 hands it on."""

import logging
import sys

import pytest
from ray._private import worker

from tuning.cluster.ray_lines import ray_lines_logged


def test_what_ray_prints_is_logged(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """With another version: look whether Ray still prints in the function that is replaced."""
    caplog.set_level(logging.INFO, logger="tuning")
    raylet = {"lines": ["A worker died"], "pid": "raylet", "is_err": False}
    actor = {"lines": ["one", "two"], "pid": 17, "actor_name": "Pool", "is_err": True, "ip": "a"}
    bar = {"lines": ['__ray_tqdm_magic_token__{"x": 1}'], "pid": 17, "is_err": True, "ip": "a"}
    with ray_lines_logged():
        for data in (raylet, actor, bar):
            worker.print_to_stdstream(data, ignore_prefix=False)
        logging.getLogger("ray.tune").warning("no %s", "metrics")
        logging.getLogger("ray.tune").info("chatter")
    assert caplog.messages == [
        "ray raylet: A worker died", "Pool 17: one", "Pool 17: two", "ray.tune: no metrics",
    ]  # fmt: skip
    assert {record.levelname for record in caplog.records} == {"INFO"}
    assert capsys.readouterr() == ("", "")
    worker.print_worker_logs(raylet, sys.stdout)
    assert "A worker died" in capsys.readouterr().out


def test_loggers_of_ray_are_put_back() -> None:
    def state() -> list[object]:
        rays = [logging.getLogger(name) for name in ("ray", "ray.tune", "ray.data")]
        return [(one.level, one.propagate, list(one.handlers)) for one in rays]

    before = state()
    with ray_lines_logged():
        assert state() != before
    assert state() == before
