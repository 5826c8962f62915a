"""What is told of samplers that draw something at random."""

from collections.abc import Iterator

from tuning.space.space import Space

_MOST_NAMED = 3


def startup_doubts(kind: str, startup_trials: int, trials: int) -> Iterator[str]:
    """Yields a line if a study ends before its sampler has begun."""
    if startup_trials >= trials:
        yield (
            f"study.sampler: {kind} begins after {startup_trials} trials, and study.trials is "
            f"{trials}: all of them are drawn without it"
        )


def conditional_doubts(kind: str, space: Space) -> Iterator[str]:
    """Yields a line if a space has keys that only some trials have, and that are not modelled."""
    always = space.in_every_point
    names = [one.name for one in space.parameters if one.name not in always]
    if names:
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        yield (
            f"study.sampler: {kind} draws at random what stands inside of a choice of sections: "
            f"{', '.join(names[:_MOST_NAMED])}{more}; tpe and gp learn from these as well"
        )
