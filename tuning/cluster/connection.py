"""Connects a study to Ray: to the cluster it names, or to one started here for its duration."""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import psutil
import ray

from mtl_core.errors import ConfigError, MtlError, NotReadyError
from mtl_core.reasons import reason_of
from tuning.cluster._ray import wait_for_own_node
from tuning.cluster.answering import Address, wait_for_answer
from tuning.cluster.ray_lines import ray_lines_logged
from tuning.cluster.socket_folder import short_folder

logger = logging.getLogger(__name__)

ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        # Train's controllers look after their workers at this interval; 2 s would be waited for
        # at each start and end of a trainer.
        "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
        "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
        # The study folder keeps its own records; Tune's would be written per trial, and unread.
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
        # Tune's question for all resources, which a study plans by itself. Of a Ray whose server
        # died it would wait for the answer in the thread that is to leave.
        "TUNE_STATE_REFRESH_PERIOD": "1000000000",
        # Ctrl-C has to reach the driver as KeyboardInterrupt.
        "TUNE_DISABLE_SIGINT_HANDLER": "1",
        # Relative paths mean the same in a worker as in the driver.
        "RAY_CHDIR_TO_TRIAL_DIR": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # Tune's classic output can be silenced; its newer one prints a header all the same.
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        # Numbers for Prometheus, which nobody reads here.
        "RAY_TRAIN_METRICS_ENABLED": "0",
        # Ray's own limits are for idle machines: 30 to 60 s for processes that import for as long
        # on one that is busy with other work.
        "RAY_gcs_server_port_wait_time_s": "180",
        "RAY_gcs_server_request_timeout_seconds": "180",
        "RAY_worker_register_timeout_seconds": "300",
        "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "300",
    }
)
"""Settings of Ray for a study; a variable that is already set wins."""

_OBJECT_STORE_BYTES = 100 * 2**20
"""Jobs and reports are small; Ray's default would take 30 % of the machine's memory."""

_TRIES = 3
"""Starts of a Ray of our own, as one may fail on a machine that is busy with other work."""

_SLOW_SECONDS = 20.0
"""After which a start that still goes on is told of; on an idle machine it takes 5."""

_LEAVE_SECONDS = 30.0
"""How long leaving waits for a Ray that is still starting."""


@contextmanager
def cluster(
    address: str | None, *, num_cpus: int, verbose: bool, tell: Callable[[str], object]
) -> Iterator[Callable[[], object]]:
    """Connects to Ray while the caller does other work; disconnects at the end, also after errors.

    Args:
        address: The cluster's address ("auto" finds one on this machine); None = the one of
            `RAY_ADDRESS`, which Ray sets for jobs, and without that a new one on this machine,
            which stops at the end.
        num_cpus: CPUs of a new one.
        verbose: Shows what Ray and its processes say; otherwise it is logged at INFO.
        tell: Called with a line of text when the function below has to wait for long.

    Yields:
        A function that waits for the connection. It raises a `ConfigError` when the address is
        wrong, and a `NotReadyError` when no cluster answers there or a new one does not start.

    Raises:
        ConfigError: This process is connected already; that connection is left alone.
    """
    if ray.is_initialized():
        raise ConfigError("this process is connected to Ray already; call ray.shutdown() first")
    for name, value in ENVIRONMENT.items():
        # Before Ray starts: its processes inherit the environment.
        os.environ.setdefault(name, value)
    there = _named_address(address)
    with contextlib.ExitStack() as stack:
        # Also without `verbose`, for the log: Ray's own files of what its processes print go with
        # its folder.
        options: dict[str, object] = {"log_to_driver": True, "logging_level": logging.WARNING}
        if not verbose:
            stack.enter_context(ray_lines_logged())
        if there is None:
            wait_for_own_node()
            options |= _of_our_own(num_cpus, stack.enter_context(short_folder()))
        else:
            options["address"] = there.text
        connection = _Connection(options, there, tell)
        stack.callback(connection.close)
        yield connection.wait


def _named_address(address: str | None) -> Address | None:
    """Returns the cluster that is to be used; None = one of our own."""
    if address:
        return Address(address, "--address")
    # Ray would read it by itself, but could not say who named an address that does not answer.
    inherited = os.environ.get("RAY_ADDRESS")
    return Address(inherited, "RAY_ADDRESS") if inherited else None


def _of_our_own(num_cpus: int, folder: Path) -> dict[str, object]:
    """Returns how Ray is started on this machine, with a folder for its files."""
    return {
        "address": "local",
        "num_cpus": num_cpus,
        "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE_BYTES,
        "_temp_dir": str(folder),
    }


class _Connection:
    """Ray, connected to in a thread of its own."""

    def __init__(
        self, options: Mapping[str, object], address: Address | None, tell: Callable[[str], object]
    ) -> None:
        self._address = address
        self._tell = tell
        # Before Ray puts its own handler there; `wait` puts this one back.
        self._on_term = signal.getsignal(signal.SIGTERM)
        self._outcome: Future[object] = Future()
        self._is_unwanted = threading.Event()
        self._is_left = threading.Event()
        self._tries = 0
        threading.Thread(target=self._connect, args=(options,), daemon=True).start()

    def _connect(self, options: Mapping[str, object]) -> None:
        try:
            self._outcome.set_result(self._try(options))
        except BaseException as error:  # noqa: BLE001 (Ray raises all kinds)
            self._outcome.set_exception(error)
        if self._is_left.is_set():
            ray.shutdown()  # It started after all, when nobody waited for it any more.
        # Ray's processes die with the thread that started them, so it has to outlive them.
        self._is_left.wait()

    def _try(self, options: Mapping[str, object]) -> object:
        """Connects; a Ray of our own that does not start is started anew, twice."""
        if self._address is not None:
            wait_for_answer(self._address, lambda: not self._is_unwanted.is_set())
        while True:
            self._tries += 1
            # What was there before is not Ray's doing, and must outlive a failed start.
            before = {child.pid for child in psutil.Process().children()}
            try:
                return ray.init(**options)
            except Exception as error:
                if self._address is not None or self._tries == _TRIES or self._is_unwanted.is_set():
                    raise
                logger.warning(
                    "Ray did not start in try %d of %d: %s; starting it anew",
                    self._tries, _TRIES, reason_of(error),
                )  # fmt: skip
                logger.debug("the failed start", exc_info=True)
                ray.shutdown()
                _end_ray_children(besides=before)

    def wait(self) -> None:
        """Waits for the connection; see `cluster`."""
        start = time.monotonic()
        while not wait([self._outcome], timeout=_SLOW_SECONDS).done:
            self._tell(self._what_goes_on(time.monotonic() - start))
        try:
            self._outcome.result()
        except MtlError:
            raise  # The address is wrong, or nobody answers there.
        except Exception as error:
            reason = reason_of(error)
            if self._address is not None:
                text = f"{self._address}: cannot connect to Ray: {reason}"
                raise ConfigError(text) from error
            raise NotReadyError(
                f"Ray did not start in {_TRIES} tries: {reason} On a machine that is busy with "
                "other work, the same command may do later."
            ) from error
        # Ray puts a handler of its own there, which prints a stack first.
        if self._on_term and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._on_term)

    def _what_goes_on(self, seconds: float) -> str:
        if self._address is not None:
            return f"still connecting to Ray at {self._address.text} after {seconds:.0f} s"
        again = f" (try {self._tries} of {_TRIES})" if self._tries > 1 else ""
        load, cpus = psutil.getloadavg()[0], psutil.cpu_count()
        return f"still starting Ray after {seconds:.0f} s{again}; load {load:.0f} on {cpus} CPUs"

    def close(self) -> None:
        """Disconnects, also while it still connects."""
        self._is_unwanted.set()
        try:
            # What has not connected yet could not be told to stop. There is an end to that: an
            # import that Ctrl-C interrupts in one thread may never end in another.
            wait([self._outcome], timeout=_LEAVE_SECONDS)
        finally:
            if self._outcome.done():
                ray.shutdown()
            self._is_left.set()


def _end_ray_children(besides: Collection[int]) -> None:
    """Ends the processes that a failed start of Ray left behind: children of this process alone."""
    left = [
        child
        for child in psutil.Process().children()
        if child.pid not in besides and _is_of_ray(child)
    ]
    for child in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(left, timeout=_LEAVE_SECONDS)


def _is_of_ray(process: psutil.Process) -> bool:
    home = str(Path(ray.__file__).parent)
    try:
        return any(word.startswith(home) for word in process.cmdline())
    except psutil.NoSuchProcess:
        return False
