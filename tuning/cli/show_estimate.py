"""How `mtl check --estimate` shows what a study will take."""

from collections.abc import Iterator

from tuning.estimate.estimate import Epochs, StudyEstimate


def estimate_lines(found: StudyEstimate, scheduler: str) -> Iterator[str]:
    """Yields the lines of an estimate.

    Args:
        found: The estimate.
        scheduler: The kind of the study's scheduler.
    """
    own, *others = [one.epoch for one in found.times]
    yield (
        f"estimate, from a few steps of {len(found.times)} recipes, which took "
        f"{found.timed_for:.0f} s; it holds for a machine that is as busy as this one was"
    )
    spread = f"; {_time(min(others))} to {_time(max(others))} with others" if others else ""
    yield f"  an epoch  {_time(own)} with the study file's own recipe, dev scored{spread}"
    yield (
        f"  trials    {found.trials}, {found.trainers} at a time: {_numbers(found.epochs)} epochs "
        f"of {found.epochs.most:.0f}, by the scheduler '{scheduler}'"
    )
    for stage in found.stages:
        whole = " on the full budget" if stage.is_whole else ""
        yield (
            f"  {stage.name:9} {stage.runs} runs{whole}, on top: {stage.epochs:.0f} epochs, about "
            f"{_time(stage.seconds)}"
        )
    frozen = any(one.states for one in found.times)
    cache = ", with an empty cache for what frozen layers compute" if frozen else ""
    yield f"  time      {_time(found.seconds.low)} to {_time(found.seconds.high)}{cache}"
    most, stay = _size(found.disk.most), _size(found.disk.stay)
    yield f"  disk      up to {most}; at most {stay} stay, and the model"


def _numbers(found: Epochs) -> str:
    low, high = f"{found.low:.0f}", f"{found.high:.0f}"
    return low if low == high else f"{low} to {high}"


def _time(seconds: float) -> str:
    """Returns a time in the unit that people would use."""
    if seconds < 90:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.2g} min" if seconds < 90 * 60 else f"{seconds / 3600:.2g} hours"


def _size(size: float) -> str:
    return f"{size / 2**20:.0f} MiB" if size < 2**30 else f"{size / 2**30:.1f} GiB"
