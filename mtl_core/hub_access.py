"""Whether the Hugging Face hub can be reached: asked once, before libraries try for half a minute.

They ask for every file six times, with growing pauses, and tell of each try.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from threading import Thread

from mtl_core._huggingface_hub import offline
from mtl_core.any_path import is_folder
from mtl_core.errors import MtlError
from mtl_core.printable import one_line

TIMEOUT = 5.0
"""Seconds that the hub has for an answer; it takes a fraction of one."""
_ASK_AGAIN_S = 60


@contextmanager
def hub_access(name: str) -> Iterator[None]:
    """Stands around a block that loads something from the hub; without the hub, from the cache.

    Args:
        name: What is loaded; nothing is asked where it is a folder, or `package:NAME`.

    Raises:
        ConnectionError: The hub cannot be reached, and the cache does not have all of it.
    """
    from huggingface_hub import constants

    is_local = name.startswith("package:") or Path(name).is_absolute() or is_folder(name)
    reason = (
        None if is_local else _out_of_reach(constants.ENDPOINT, int(time.time()) // _ASK_AGAIN_S)
    )
    if reason is None:
        yield
        return
    with offline():
        try:
            yield
        except MtlError:
            raise
        except Exception as error:
            raise ConnectionError(
                f"{constants.ENDPOINT} cannot be reached ({reason}), and the cache does not have it"
            ) from error


@lru_cache(maxsize=1)
def _out_of_reach(address: str, when: int) -> str | None:
    """Returns why the hub cannot be reached; None where it can, or where nobody may ask."""
    from huggingface_hub import get_session, is_offline_mode

    if is_offline_mode():
        return None  # Asked for by HF_HUB_OFFLINE, and the libraries say so.
    found: list[str | None] = []

    def ask() -> None:
        try:
            get_session().head(address, timeout=TIMEOUT)
            found.append(None)
        except Exception as error:  # noqa: BLE001 From several libraries, as the network is.
            found.append(one_line(str(error)) or type(error).__name__)

    # In a thread: looking up a name has no limit of its own.
    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(TIMEOUT + 1)
    return found[0] if found else f"no answer in {TIMEOUT:g} s"
