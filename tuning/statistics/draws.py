"""What a run scores on draws of the rows of test: a file beside its checkpoint, `NAME`.

Numbers alone, as safetensors: nothing in such a file is run, whoever wrote it.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.errors import ConfigError
from mtl_core.files import whole_file
from mtl_core.plain_file import read_plain
from tuning.statistics.estimates import Where
from tuning.statistics.seeds import RunScores

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Draws = Mapping[str, npt.NDArray[np.float64]]

logger = logging.getLogger(__name__)

NAME = "test_draws.safetensors"
"""In the folder of a run, beside its checkpoint."""
_MOST_BYTES = 64 * 2**20


def write_draws(folder: Path, draws: "Mapping[Where, Draws]") -> None:
    """Writes what a run scores on draws.

    Args:
        folder: Of the run.
        draws: The rows that are drawn from -> flat name of a score -> the score on them as they
            are, and on each draw, (1 + draws,).
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"{where}:{key}": one for where, some in draws.items() for key, one in some.items()}
    with whole_file(folder / NAME) as part:
        save_file(arrays, part)


def with_draws(run: RunScores, folder: Path) -> RunScores:
    """Returns scores of a run with what it scores on draws of the same rows, as far as is known.

    Draws of other scores than these are left out: the file is of the last time that the run was
    scored, and may be of other settings of decoding.

    Args:
        run: Its scores.
        folder: Of the run.
    """
    found = _read(folder / NAME, f"{run.where}:")
    known = {
        name: one
        for name, one in found.items()
        if name in run.scores and math.isclose(one[0], run.scores[name], abs_tol=1e-9)
    }
    return replace(run, draws=known)


def _read(path: Path, prefix: str) -> "Draws":
    import numpy as np
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        content = read_plain(path, most_bytes=_MOST_BYTES)
        arrays = {} if content is None else load(content)
    except (ConfigError, SafetensorError) as error:
        # What it would tell is how sure a score is; the score itself is known without it.
        logger.warning("%s is broken: intervals allow for other seeds alone (%s)", path, error)
        return {}
    of_rows = {key: one for key, one in arrays.items() if key.startswith(prefix)}
    is_sound = all(
        one.dtype == np.float64 and one.ndim == 1 and len(one) for one in of_rows.values()
    )
    if not is_sound:
        logger.warning("%s is broken: expected rows of float64", path)
        return {}
    return {key.removeprefix(prefix): one for key, one in of_rows.items()}
