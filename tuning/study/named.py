"""What the result of a study names: whether that is an id at all, and stands elsewhere in the file.

A file may have been changed by hand or come from a stranger, and folders are opened by these ids.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from mtl_core.errors import did_you_mean
from mtl_core.printable import quoted, shortened
from mtl_core.scores import flatten
from tuning.records import DECODED
from tuning.study.final_scores import FinalScores, Tests
from tuning.study.finals import FinalRecipe, Finals, SeedScores, final_run_id
from tuning.study.gains import Baselines, verdict_of
from tuning.study.openings import Choice
from tuning.study.reached import Reached

Kind = Literal["trial", "recipe", "run", "scored"]
"""`scored` = what the scores of a run on test are known by."""

_TRIAL = "[0-9]{4,11}"
_RUN = f"({_TRIAL}|final/{_TRIAL}/seed-[0-9]{{1,19}})"
_DECODED = f"({re.escape(DECODED)})?"
_FORMS: Mapping[Kind, tuple[str, str]] = {
    "trial": (_TRIAL, "the id of a trial, such as '0007'"),
    "recipe": (_TRIAL + _DECODED, "the id of a recipe, such as '0007'"),
    "run": (_RUN, "the id of a run, such as '0007' or 'final/0007/seed-1'"),
    "scored": (_RUN + _DECODED, "the id of a run, such as '0007' or 'final/0007/seed-1'"),
}
_MOST_TOLD = 60
_MOST_NAMED = 20


class Named(NamedTuple):
    """An id that a file names.

    Attributes:
        place: Dotted key.
        id: The id.
        kind: Of what it has to be the id.
        is_own: Whether it is of this study; else of one of a task alone.
    """

    place: str
    id: str
    kind: Kind = "trial"
    is_own: bool = True

    @property
    def wrong(self) -> str | None:
        """What is wrong with it; None = it is an id of its kind."""
        form, expected = _FORMS[self.kind]
        if re.fullmatch(form, self.id):
            return None
        return f"{_told(self.place)}: expected {expected}, found {_told(quoted(self.id))}"

    @property
    def trial(self) -> str:
        """Id of the trial that it is about; it has to be an id."""
        found = re.search(_TRIAL, self.id)
        assert found is not None
        return found[0]


def _told(text: str) -> str:
    return shortened(text, _MOST_TOLD)


def one_of(place: str, name: str | None, allowed: Sequence[str]) -> Iterator[str]:
    """Yields what is wrong where a name is none of those that are allowed."""
    if name not in allowed:
        several = "one of " if len(allowed) > 1 else ""
        told = several + ", ".join(map(_told, allowed[:_MOST_NAMED])) if allowed else "nothing"
        found = "nothing" if name is None else _told(quoted(name))
        near = did_you_mean(name, allowed) if name is not None else ""
        yield f"{place}: expected {told}, found {found}{near and '.' + near}"


def names_of_tests(place: str, tests: Tests) -> Iterator[Named]:
    """Yields what the test scores of a file are of."""
    yield from (Named(f"{place}.{key}", key, "scored") for key in tests)


def names_of_choices(choices: Iterable[Choice]) -> Iterator[Named]:
    """Yields what the openings of test of a file name."""
    for number, choice in enumerate(choices):
        yield Named(f"choices.{number}.chosen", choice.chosen, "recipe")
        for at, run in enumerate(choice.scored):
            yield Named(f"choices.{number}.scored.{at}", run, "run")


def names_of_goal(goal: Reached) -> Iterator[Named]:
    """Yields what is named with the goal of a study."""
    if goal.chosen is not None:
        yield Named("goal.chosen", goal.chosen)
    for at, one in enumerate(goal.front):
        yield Named(f"goal.front.{at}.trial", one.trial)
    for key, found in (("measured", goal.measured), ("missed", goal.missed)):
        yield from (Named(f"goal.{key}.{trial}", trial) for trial in found)


def names_of_finals(finals: Finals | None) -> Iterator[Named]:
    """Yields the trials and the runs of a final stage."""
    for place, recipe in _recipes(finals):
        yield Named(f"{place}.trial", recipe.trial)
        yield from (Named(f"{place}.seeds.{at}.run", s.run, "run") for at, s in _seeds(recipe))
        yield from (Named(f"{place}.failed.{run}", run, "run") for run in recipe.failed)


def names_of_baselines(baselines: Baselines | None) -> Iterator[Named]:
    """Yields the recipes that are compared with those of tasks alone, and these."""
    for task, one in (baselines or {}).items():
        if one.together is not None:
            yield Named(f"baselines.{_told(task)}.together", one.together, "recipe")
        if one.trial is not None:
            place = f"baselines.{_told(task)}.trial"
            yield Named(place, one.trial, "recipe", is_own=False)


def wrong_in_goal(goal: Reached, best: FinalScores | None, finals: Finals | None) -> Iterator[str]:
    """Yields where the goal does not go with the best recipe or with itself."""
    # The final stage may choose another recipe than the search.
    if goal.chosen is not None and finals is None:
        yield from one_of("goal.chosen", goal.chosen, [best.trial] if best is not None else [])
    if goal.chosen is not None and goal.front:
        yield from one_of("goal.chosen", goal.chosen, [one.trial for one in goal.front])
    for at, one in enumerate(goal.front):
        for task in goal.aim.tasks:
            if task not in one.scores:
                yield f"goal.front.{at}.scores: there is no '{_told(task)}'"


def wrong_in_finals(finals: Finals | None, best: FinalScores | None) -> Iterator[str]:
    """Yields where a final stage does not go with itself or with the best recipe."""
    if finals is None:
        return
    if not finals.recipes:
        yield "finals.recipes: expected one recipe or more, found none"
        return
    ids = [recipe.id for recipe in finals.recipes]
    if len(set(ids)) < len(ids):
        yield f"finals.recipes: expected each recipe once, found {', '.join(ids[:_MOST_NAMED])}"
    yield from one_of("finals.chosen", finals.chosen, ids)
    if finals.chosen != ids[0]:
        yield f"finals.recipes.0: expected {_told(finals.chosen)}, which was chosen, found {ids[0]}"
    for place, recipe in _recipes(finals):
        yield from _wrong_in_recipe(place, recipe, is_chosen=recipe.id == finals.chosen)
    if best is not None:
        yield from one_of("best.trial", best.trial, [finals.recipes[0].trial])
    for at, one in enumerate(finals.differences):
        place = f"finals.differences.{at}"
        yield from one_of(f"{place}.first", one.first, ids[:1])
        yield from one_of(f"{place}.second", one.second, ids[1:])
        yield from one_of(f"{place}.claim", one.claim, [one.estimate.claim])


def _wrong_in_recipe(place: str, recipe: FinalRecipe, *, is_chosen: bool) -> Iterator[str]:
    if is_chosen and not recipe.seeds:
        yield f"{place}.seeds: expected the runs of the recipe that was chosen, found none"
    elif recipe.seeds and "combined" not in recipe.dev:
        yield f"{place}.dev: there is no 'combined'"
    for at, one in _seeds(recipe):
        run = final_run_id(recipe.trial, one.seed)
        yield from one_of(f"{place}.seeds.{at}.run", one.run, [run])
        if "combined" not in flatten(one.dev):
            yield f"{place}.seeds.{at}.dev: there is no 'combined'"
    runs = [run.run for run in recipe.seeds] + list(recipe.failed)
    if len(set(runs)) < len(runs):
        yield f"{place}.seeds: expected each run once"
    begin = final_run_id(recipe.trial, "")
    for run in recipe.failed:
        if not run.startswith(begin):
            yield f"{place}.failed: expected runs {begin}..., found {_told(quoted(run))}"


def wrong_in_baselines(
    baselines: Baselines | None, best: FinalScores | None, finals: Finals | None
) -> Iterator[str]:
    """Yields where what is told of tasks alone does not go with the recipes of the study."""
    for task, one in (baselines or {}).items():
        place, found = f"baselines.{_told(task)}", one.difference
        if found is not None:
            yield from one_of(f"{place}.difference.claim", found.claim, [found.estimate.claim])
        yield from one_of(f"{place}.verdict", one.verdict, [verdict_of(found)])
        if one.together is not None and finals is not None:
            ids = [recipe.id for recipe in finals.recipes]
            yield from one_of(f"{place}.together", one.together, ids)
        elif one.together is not None and best is None:
            yield from one_of(f"{place}.together", one.together, [])


def _recipes(finals: Finals | None) -> Iterator[tuple[str, FinalRecipe]]:
    for at, recipe in enumerate(finals.recipes if finals is not None else ()):
        yield f"finals.recipes.{at}", recipe


def _seeds(recipe: FinalRecipe) -> Iterator[tuple[int, SeedScores]]:
    yield from enumerate(recipe.seeds)
