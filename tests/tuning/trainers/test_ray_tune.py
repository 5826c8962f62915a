"""What is used of Ray Tune that it does not promise."""

import inspect
from pathlib import Path

import ray
from ray.tune.execution import tune_controller

from tuning.trainers._ray_tune import drop_empty, restarted_actors


def test_actors_of_tune_are_made_by_the_class_that_is_changed() -> None:
    """As of Ray 2.60: Tune asks this class for its actors, and adds nothing but resources."""
    assert ray.__version__.startswith("2.60.")
    theirs = tune_controller._ActorClassCache
    made = inspect.getsource(tune_controller.TuneController.__init__)
    assert "self._class_cache = _ActorClassCache()" in made
    with restarted_actors(7):
        changed = tune_controller._ActorClassCache
        options = changed().get(type("Trial", (), {}))._default_options
        assert (options["max_restarts"], options["max_task_retries"]) == (7, -1)
        assert "runtime_env" in options
    assert tune_controller._ActorClassCache is theirs
    assert "max_restarts" not in theirs().get(type("Trial", (), {}))._default_options


def test_only_empty_folders_of_tune_are_dropped(tmp_path: Path) -> None:
    for name in ("empty", "full/file"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("empty", "full", "gone"):
        drop_empty(str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == ["full"]
