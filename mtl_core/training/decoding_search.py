"""Searches settings that need no training: on a trained model, over logits that are kept.

Such settings (`TaskSection.at_decoding`) change what is read off logits, and no weight. One half of
dev chooses among them, the other half judges what was chosen: the best of many flatters itself on
the rows that chose it.

With one setting tried that takes as long as two evaluations on dev, and three where texts are
written: the half that chooses with the run's own settings and with the other, the half that judges
likewise, and all of dev with what was chosen.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtl_core.training.decoded import Decoded, Judged, Scalar, Taken, Tried
from mtl_core.training.dev_half import DevHalf, ScoredHalf, TrainedModel, halves
from mtl_core.training.evaluation import Evaluation, evaluate
from mtl_core.training.report_texts import as_due

LEAST_EVALUATIONS = 3
"""Evaluations on dev that a search takes at most in which one setting is tried."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings to try.

    Attributes:
        settings: Dotted key of `run` -> value.
        parameters: Name -> value, as people are shown it.
        point: Name -> value as it was drawn.
    """

    settings: Mapping[str, object]
    parameters: Mapping[str, Scalar]
    point: Mapping[str, Scalar]


class Proposals(ABC):
    """What is tried on one model, one after the other."""

    @abstractmethod
    def ask(self) -> Proposal | None:
        """Returns what to try next; None = there is nothing left."""

    @abstractmethod
    def tell(self, proposal: Proposal, gain: float) -> None:
        """Says what came of the last one; NaN = it was no number."""


class Proposer(ABC):
    """A space of such settings; goes from the driver to the workers.

    Attributes:
        searched: What is searched, as a hash.
        own: The run's own settings, as people are shown them.
    """

    searched: str
    own: Mapping[str, Scalar]

    @abstractmethod
    def proposals(self, known: Sequence[Tried], *, seed: int) -> Proposals:
        """Begins with a model.

        Args:
            known: What was tried on other models.
            seed: Of what is drawn.
        """


def search_decoding(
    trained: TrainedModel,
    proposer: Proposer,
    *,
    number: int,
    combined: float = -math.inf,
    known: Sequence[Tried] = (),
    limit_s: float = math.inf,
    least: int = 0,
) -> Decoded:
    """Searches the settings of a model that are read at decoding alone.

    The run's own settings are scored first. Others are taken only when the half of dev that did not
    choose them likes them better, too, and all of dev not worse. The model stays as it is: see
    `decode_with`. All workers call this together.

    Args:
        trained: The model.
        proposer: The space.
        number: The report that the model is of.
        combined: Its objective on all of dev, with the run's own settings.
        known: What was tried on other models.
        limit_s: Seconds of the whole search; nothing is tried after which it would take longer.
        least: How many proposals are tried in any case.
    """
    start = time.perf_counter()
    choosing, judging = halves(trained)
    half = DevHalf(trained, choosing)
    proposals = proposer.proposals(known, seed=trained.config.seed)
    tried, best = _chosen(half, trained, proposals, start + limit_s, least)
    judged = taken = None
    if best is not None:
        # With what was learnt from the half that chose: this one is only looked at.
        judged = _judged(DevHalf(trained, judging, heads=half.own.heads), trained, best)
        if judged.after > judged.before:
            taken = _taken(trained, best.proposal, proposer.own, least=combined)
    return Decoded(
        number=number, searched=proposer.searched, tried=tried, judged=judged, taken=taken,
        seconds=time.perf_counter() - start,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Best:
    """The best settings so far.

    Attributes:
        gain: How much better they are than the run's own, above 0.
        proposal: The settings.
        half: The half that chooses, as it was scored with them.
    """

    gain: float
    proposal: Proposal
    half: ScoredHalf


def _chosen(
    half: DevHalf, trained: TrainedModel, proposals: Proposals, end: float, least: int
) -> tuple[list[Tried], _Best | None]:
    """Returns what was tried, and the best of it; None = the run's own settings are.

    Args:
        half: The half that chooses.
        trained: The model.
        proposals: What is tried.
        end: When the whole search is to be over, by `time.perf_counter`.
        least: How many are tried in any case.
    """
    tried, best = list[Tried](), None
    # Seconds of the longest try; others take as long as the run's own settings until one is made.
    try_s, read_s = half.writing_s, half.first_s - half.writing_s
    while True:
        begin = time.perf_counter()
        # What is tried, then the other half with both settings, then both halves with the best.
        late = begin + try_s + (half.first_s + try_s) + 2 * (read_s + try_s) > end
        # Clocks of two workers differ: one that is late ends the search for all.
        if any(trained.place.gather(late)) and len(tried) >= least:
            break
        if (proposal := proposals.ask()) is None:
            break
        found = half.scored(trained.with_settings(proposal.settings))
        try_s = max(try_s, time.perf_counter() - begin)
        gain = found.combined - half.own.combined
        proposals.tell(proposal, gain)
        tried.append(Tried(dict(proposal.point), gain))
        if gain > (best.gain if best else 0.0):
            best = _Best(gain, proposal, found)
    return tried, best


def _judged(judge: DevHalf, trained: TrainedModel, best: _Best) -> Judged:
    other = trained.with_settings(best.proposal.settings)
    after = judge.scored(other, best.half.heads).combined
    return Judged(judge.rows, judge.own.combined, after)


def _taken(
    trained: TrainedModel, proposal: Proposal, own: Mapping[str, Scalar], *, least: float
) -> Taken | None:
    """Returns settings with what they reach on all of dev; None where that is less than `least`."""
    other = trained.with_settings(proposal.settings)
    heads = {name: trained.model.head(name) for name in trained.config.tasks}
    try:
        found = decode_with(other)
    finally:
        for name, head in heads.items():
            trained.model.set_head(name, head)
    combined = other.combined(found.main, found.joint_accuracy)
    if not combined >= least:
        return None
    return Taken(
        dict(proposal.settings),
        dict(proposal.parameters),
        dict(own),
        found.scores,
        found.joint_accuracy,
        combined,
    )


def decode_with(trained: TrainedModel) -> Evaluation:
    """Gives a model heads for its configuration; they learn from dev what is learnt there.

    Args:
        trained: The model, whose heads were made for other settings of decoding.

    Returns:
        The scores on dev.
    """
    tasks = trained.tasks
    for name, task in tasks.items():
        trained.model.set_head(name, trained.model.head_for(name, task))
    return evaluate(
        trained.model,
        # Texts as in a report: those of all of dev would take far longer than what was tried.
        as_due(tasks, (), is_last=True),
        trained.datasets,
        split="dev",
        place=trained.place,
        precision=trained.precision,
        collator=trained.collator,
    )
