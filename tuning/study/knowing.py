"""Finds out what a study knows before its first trial: shipped priors, and earlier studies."""

from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from pathlib import Path

from optuna import Study as OptunaStudy
from optuna.trial import FrozenTrial, TrialState

from mtl_core.config import RunConfig
from mtl_core.errors import ConfigError, NotReadyError
from mtl_core.kept import BrokenError
from mtl_core.model.outline import encoder_outline
from mtl_core.study_file import override
from mtl_core.tasks.kinds import outside_kinds
from tuning.records import Value
from tuning.search.knowledge.first_points import first_points
from tuning.search.knowledge.shipped import Setting, known_priors, shipped_priors
from tuning.search.knowledge.worth import Worth, reports_of, values_of, worths
from tuning.space.parameters import look_up
from tuning.space.priors import NormalPrior, OptionsPrior
from tuning.study.agreement import read_journal
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts
from tuning.study.folder import StudyFolder
from tuning.study.known import FILE, REMEDY, KnownFacts, KnownPrior, KnownStudy, read_known


def known_of(study: StudyFile, data: DataFacts) -> KnownFacts:
    """Returns what a study knows: as it was when it began, or as it is now if it has not begun.

    Raises:
        ConfigError: An earlier study cannot be read, or says nothing of this one's space.
        BrokenError: What was known when it began is broken or gone.
    """
    folder = StudyFolder(study.folder)
    if not study.knows_something:
        return KnownFacts()
    kept = read_known(folder)
    if kept is not None:
        return kept
    if folder.journal.exists():
        raise BrokenError(f"{folder.path / FILE}: there is no such file any more; {REMEDY}")
    shipped = tuple(_shipped(study, data))
    return KnownFacts(
        shipped if study.study.prior == "shipped" else (),
        tuple(_earlier(study, path) for path in study.study.warm_start),
        tuple(_likely(study, shipped)) if study.search.tries_likely else (),
    )


def _shipped(study: StudyFile, data: DataFacts) -> Iterator[KnownPrior]:
    open_ones = [one for one in study.space.parameters if one.prior is None]
    for said in shipped_priors(open_ones, _setting(study, data)):
        assert isinstance(said.prior, NormalPrior | OptionsPrior)
        yield KnownPrior(said.name, said.prior, said.text)


def _likely(study: StudyFile, shipped: Iterable[KnownPrior]) -> list[dict[str, Value]]:
    own = {one.name: one.prior for one in study.space.parameters if one.prior is not None}
    points = first_points(study.space, {**{one.name: one.prior for one in shipped}, **own})
    if not points:
        searched = ", ".join(one.name for one in study.space.parameters)
        raise ConfigError(
            f"search.try: found 'auto', and nothing is known of {searched}; allowed: points, or "
            "priors of your own"
        )
    return points


def _setting(study: StudyFile, data: DataFacts) -> Setting:
    run = study.run
    outline = encoder_outline(run.encoder)
    rows = [one.lengths.rows for one in data.splits if one.split == "train"]
    batches = sum(ceil(one / run.training.batch_size) for one in rows)
    recipe = run.model_dump(mode="json")
    keys = {key for prior in known_priors() for key in prior.when}
    searched = {one.name: one.domain.options for one in study.space.parameters}
    return Setting(
        possible={key: searched.get(key) or (look_up(recipe, key),) for key in keys},
        parameters=sum(one.numel() for one in outline.encoder.parameters()),
        steps=batches * run.training.epochs,
    )


def _earlier(study: StudyFile, path: Path) -> KnownStudy:
    """Reads an earlier study, as points of this one's space; nothing is written or locked."""
    folder = StudyFolder(path)
    if path == study.folder:
        raise ConfigError(f"study.warm_start: {path}: is this study itself; name earlier ones")
    try:
        before, journal = folder.read_study(), read_journal(folder)
    except (ConfigError, NotReadyError) as error:
        raise ConfigError(f"study.warm_start: {error}") from error
    trials = list(_best_first(journal))
    if not trials:
        raise ConfigError(f"study.warm_start: {path}: no trial of that study reached a score")
    # Code that a study folder names is not run.
    with outside_kinds("leave"):
        run = before.run.model_dump(mode="json")
        points = tuple(_point(study, run, trial) for trial in trials)
    found = KnownStudy(str(path), points, len(journal.get_trials(deepcopy=False)))
    if not found.earlier.varied:
        searched = ", ".join(one.name for one in study.space.parameters)
        raise ConfigError(
            f"study.warm_start: {path}: its trials say nothing of what is searched here; allowed: "
            f"studies that tried several values, inside of the ranges here, of one of {searched}"
        )
    return found


def _best_first(journal: OptunaStudy) -> Iterator[FrozenTrial]:
    """Yields the trials with a score as TPE ranks them: stopped ones last, by their reports."""
    states = (TrialState.COMPLETE, TrialState.PRUNED)
    trials = [one for one in journal.get_trials(states=states) if values_of(one)]
    worth = dict(zip((t.number for t in trials), worths(trials, journal.directions), strict=True))

    def order(trial: FrozenTrial) -> tuple[bool, int, Worth, int]:
        is_complete = trial.state == TrialState.COMPLETE
        reports = 0 if is_complete else reports_of(trial)
        return is_complete, reports, worth[trial.number], -trial.number

    yield from sorted(trials, key=order, reverse=True)


def _point(study: StudyFile, run: Mapping[str, object], trial: FrozenTrial) -> dict[str, Value]:
    """Returns a trial of another study as a point of this one's space, as far as it lies in it.

    By what its recipe held, and not by the names of its parameters: so ranges that changed, options
    with another label and keys that were not searched there are read as what they mean here.
    """
    recipe = override(run, trial.user_attrs.get("overrides", {}))

    def resolve(overrides: Mapping[str, object]) -> Mapping[str, object]:
        return RunConfig.model_validate(override(recipe, overrides)).model_dump(mode="json")

    space = study.space
    return space.to_drawn(space.default_parameters(recipe, resolve))
