"""Loading a table with `datasets`: one cache per content, and one error for all its errors."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtl_core.data.formats._datasets import fingerprint
from mtl_core.errors import DataError
from mtl_core.paths import cache_folder

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True, slots=True)
class TableSource:
    """A loaded table.

    Attributes:
        where: The name that errors use for it.
        dataset: The table.
        content: Hash of the local files that it comes from; "" = it comes from the hub.
    """

    where: str
    dataset: "Dataset"
    content: str

    @property
    def fingerprint(self) -> str:
        """The hashes of the files and of what `datasets` has done with them."""
        return f"{self.content} {fingerprint(self.dataset)}"


def load_table(
    where: str, content: str, builder: str, *args: object, **options: object
) -> TableSource:
    """Loads a table.

    Args:
        where: The name that errors use for it.
        content: Hash of the local files that it comes from; "" = it comes from the hub.
        builder: First argument of `datasets.load_dataset`: a hub id, a folder, or `csv`, `json`,
            `parquet`.
        *args: Further arguments of `datasets.load_dataset`.
        **options: Keyword arguments of `datasets.load_dataset`.

    Raises:
        DataError: The table cannot be loaded; the message of `datasets` follows.
    """
    # Imported here, as it is slow: runs whose files are encoded already never need it.
    import datasets

    datasets.disable_progress_bars()
    datasets.logging.set_verbosity_error()
    # `datasets` knows a local file by its path and time, and would return what it held before.
    cache = str(cache_folder() / "datasets" / content)
    try:
        dataset = datasets.load_dataset(builder, *args, cache_dir=cache, **options)
    except Exception as error:
        # `datasets` raises whatever its builders raise; the innermost cause says what is wrong.
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = str(cause).strip().splitlines() or [type(cause).__name__]
        raise DataError(f"{where}: cannot load the data: {reason[0]}") from error
    return TableSource(where, dataset, content)
