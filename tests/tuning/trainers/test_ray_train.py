"""What is used of Ray Train that it does not promise."""

import inspect

import ray
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer


def test_fit_waits_for_its_controller_alone() -> None:
    """As of Ray 2.60: all that `LeavableTrainer` leaves out is known, and all of it is a wait."""
    assert ray.__version__.startswith("2.60.")
    theirs = inspect.getsource(DataParallelTrainer._initialize_and_run_controller)
    for part in (
        "num_cpus=0",
        "ray._raylet.RAY_NODE_ID_KEY: ray.get_runtime_context().get_node_id()",
        'runtime_env={"env_vars": env_vars}',
        ")(TrainController)",
        "controller_actor_cls.remote(**controller_init_kwargs)",
        "ray.get(controller.run.remote())",
        "return ray.get(controller.get_result.remote())",
    ):
        assert part in theirs
    assert "self._initialize_and_run_controller(" in inspect.getsource(DataParallelTrainer.fit)
