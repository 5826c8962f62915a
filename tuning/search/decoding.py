"""What is searched on trained models: a small space, of which trial after trial learns more."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice

import optuna
from optuna.trial import FixedTrial

from mtl_core.training.decoded import Tried
from mtl_core.training.decoding_search import Proposal, Proposals, Proposer
from tuning.records import Value
from tuning.search.samplers.tpe import TpeSection
from tuning.space.entries import Entry
from tuning.space.grid import every_point
from tuning.space.space import Space

Point = Mapping[str, Value]


class SpaceProposer(Proposer):
    """Settings of decoding from the search space of a study.

    A space of few points is tried whole. Of a larger one a model gets what was best on the models
    before, and then what TPE draws, which learns from those models as well: how much better
    settings are than the run's own hangs on the model far less than on the settings.
    """

    def __init__(self, entries: Mapping[str, Entry], *, own: Point, tries: int) -> None:
        """Makes the space.

        Args:
            entries: Dotted key of `run` -> what its value is drawn from.
            own: The run's own settings, as people are shown them.
            tries: Settings for each model, at most.
        """
        written = {key: entry.model_dump(mode="json") for key, entry in entries.items()}
        text = json.dumps(written, sort_keys=True, default=str)
        self.searched = hashlib.sha256(text.encode()).hexdigest()[:16]
        self._entries = dict(entries)
        self.own = dict(own)
        self._tries = tries

    def proposals(self, known: Sequence[Tried], *, seed: int) -> Proposals:
        """Begins with a model."""
        space = Space(self._entries)
        few, own = _few_points(space, self._tries), space.to_drawn(self.own)
        if few is None:
            return _Drawn(space, known, own=own, tries=self._tries, seed=seed)
        best = _best_first(known)
        points = [*(one for one in best if one in few), *(one for one in few if one not in best)]
        return _Listed(space, [one for one in points if one != own])


class _Listed(Proposals):
    """All points of a small space."""

    def __init__(self, space: Space, points: Sequence[Point]) -> None:
        self._space = space
        self._left = iter(points)

    def ask(self) -> Proposal | None:
        """Returns the next one."""
        point = next(self._left, None)
        return None if point is None else _proposal(self._space, point)

    def tell(self, proposal: Proposal, gain: float) -> None:
        """Passes it over: what comes next is settled."""


class _Drawn(Proposals):
    """What was best before, then what TPE draws; nothing twice."""

    def __init__(
        self, space: Space, known: Sequence[Tried], *, own: Point, tries: int, seed: int
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        # Its draws hang on how many were known before, so that no two models begin alike; and it
        # draws what no model has tried, as long as there is any.
        sampler = TpeSection().build(seed, space)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._space = space
        self._left = tries
        self._seen: list[Point] = [own]
        before = [one for one in known if math.isfinite(one.gain)]
        # The run's own settings are scored by whoever asks: their gain is 0 on any model.
        for point, gain in [(own, 0.0), *((one.point, one.gain) for one in before)]:
            self._remember(point, gain)
        for point in islice(_best_first(known), 1):
            self._study.enqueue_trial(dict(point))

    def _remember(self, point: Point, gain: float) -> None:
        drawn = FixedTrial(dict(point))
        try:
            self._space.sample(drawn)
        except ValueError:  # A part of a point: the rest lies outside of the space.
            return
        self._study.add_trial(
            optuna.trial.create_trial(
                params=drawn.params, distributions=drawn.distributions, value=gain
            )
        )

    def ask(self) -> Proposal | None:
        """Returns the next one."""
        if not self._left:
            return None
        self._trial = self._study.ask()
        self._space.sample(self._trial)
        point = self._trial.params
        if point in self._seen:
            return None
        self._seen.append(point)
        self._left -= 1
        return _proposal(self._space, point)

    def tell(self, proposal: Proposal, gain: float) -> None:
        """Passes it on."""
        if math.isfinite(gain):
            self._study.tell(self._trial, gain)
        else:
            self._study.tell(self._trial, state=optuna.trial.TrialState.FAIL)


def _proposal(space: Space, point: Point) -> Proposal:
    settings = space.overrides_of(point)
    assert settings is not None
    return Proposal(settings, space.of_drawn(point), dict(point))


def _few_points(space: Space, most: int) -> list[Point] | None:
    """Returns all points of a space; None where they are more, or without end."""
    if any(one.domain.count is None for one in space.parameters):
        return None
    found = list(islice(every_point(space, None), most + 1))
    return list(found) if len(found) <= most else None


def _best_first(known: Sequence[Tried]) -> list[Point]:
    """Returns the points that were better than the own settings on average, the best first."""
    gains: dict[str, list[float]] = defaultdict(list)
    points: dict[str, Point] = {}
    for one in known:
        if math.isfinite(one.gain):
            key = json.dumps(one.point, sort_keys=True)
            gains[key].append(one.gain)
            points[key] = one.point
    means = {key: sum(found) / len(found) for key, found in gains.items()}
    ranked = sorted(means, key=lambda key: -means[key])
    return [points[key] for key in ranked if means[key] > 0]
