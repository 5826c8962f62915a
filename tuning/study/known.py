"""What a study knows before its first trial, kept in `known.json`: priors, and earlier studies.

It is found out once, when the study begins (`tuning.study.knowing`): what changes later, of the
project or of an earlier study, changes no point of a study that goes on.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from mtl_core.files import write_json
from mtl_core.kept import read_kept
from mtl_core.number_types import KEPT, Count
from tuning.records import Value
from tuning.search.knowledge.known import Earlier, Known
from tuning.space.priors import NormalPrior, OptionsPrior
from tuning.study.folder import StudyFolder

FILE = "known.json"
"""Its name in the study folder."""
REMEDY = "put it back from a copy: the points of the study hang on it"
"""What to do about a broken file."""


@dataclass(frozen=True, slots=True)
class KnownPrior:
    """A shipped prior.

    Attributes:
        name: The parameter.
        prior: Its density over positions.
        text: What it says.
    """

    __pydantic_config__ = KEPT

    name: str
    prior: NormalPrior | OptionsPrior
    text: str


@dataclass(frozen=True, slots=True)
class KnownStudy:
    """An earlier study.

    Attributes:
        folder: Its folder, as an absolute path.
        points: Its trials that reached a score, the best first: parameter of this study's space ->
            value as Optuna draws it.
        trials: How many trials it had.
    """

    __pydantic_config__ = KEPT

    folder: str
    points: tuple[dict[str, Value], ...]
    trials: Count

    @property
    def earlier(self) -> Earlier:
        """What a sampler is told of it."""
        return Earlier(self.folder, self.points)


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """What a study knows; `known.json` holds it under the same names.

    Attributes:
        priors: The shipped priors.
        studies: The earlier studies, in the order of the study file.
        first: Points that are tried first, or parts of some, as Optuna draws them.
    """

    __pydantic_config__ = KEPT

    priors: tuple[KnownPrior, ...] = ()
    studies: tuple[KnownStudy, ...] = ()
    first: tuple[dict[str, Value], ...] = ()

    @property
    def known(self) -> Known:
        """What a sampler is told."""
        priors = {one.name: one.prior for one in self.priors}
        return Known(priors, tuple(one.earlier for one in self.studies))

    def lines(self) -> Iterator[str]:
        """Yields a line for each thing that is known, for people."""
        for prior in self.priors:
            yield f"prior of {prior.name}: {prior.text}"
        for point in self.first:
            values = " ".join(f"{name}={_short(value)}" for name, value in point.items())
            yield f"to try first: {values}"
        for study in self.studies:
            names = ", ".join(study.earlier.varied)
            yield (
                f"warm start from {study.folder}: {len(study.points)} of {study.trials} trials, "
                f"which tell of {names}"
            )


NOTHING = KnownFacts()
"""Of a study that begins from nothing, as most do."""


def read_known(folder: StudyFolder) -> KnownFacts | None:
    """Returns what the study in a folder knew when it began; None where nothing was kept.

    Raises:
        BrokenError: The file is broken.
    """
    return read_kept(folder.path / FILE, KnownFacts, remedy=REMEDY)


def write_known(folder: StudyFolder, facts: KnownFacts) -> None:
    """Keeps what a study knows, if that is anything; nothing of it changes afterwards."""
    if facts != NOTHING:
        write_json(folder.path / FILE, asdict(facts))


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
