"""What is used of Ray Tune that it does not promise."""

import inspect

import ray
from ray.tune.execution import tune_controller

from tuning.trainers._ray_tune import restarted_actors


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
