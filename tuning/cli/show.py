"""What `mtl tune` prints at its end: the result of a study."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from mtl_core.scores import flatten, show_score
from tuning.report.claims import UNSEEN
from tuning.report.finals import count_runs
from tuning.report.gains import gains_sentence
from tuning.report.markdown import count_of
from tuning.report.verdict import against, cautions, on_test, verdict
from tuning.watch.console import plain_console

if TYPE_CHECKING:
    from tuning.results.study_result import StudyResult
    from tuning.study.final_scores import FinalScores
    from tuning.study.finals import FinalRecipe
    from tuning.study.result import Result
    from tuning.watch.json_lines import EventLines


def show_result(result: "StudyResult") -> None:
    """Prints the best recipe, its scores, and how to go on from here."""
    console = plain_console()
    best, default = result.best, result.default
    if best is None:
        return
    recipe = Table("parameter", "best", "default", title=f"Best recipe: trial {best.trial}")
    # A dict as an ordered set: of a conditional space each recipe may have keys of its own.
    for name in dict.fromkeys([*best.parameters, *(default.parameters if default else {})]):
        theirs = default.parameters.get(name, "-") if default else "-"
        recipe.add_row(name, _number(best.parameters.get(name, "-")), _number(theirs))
    finals = result.result.finals
    title = None if finals is None else f"Means over {len(finals.best.seeds)} runs"
    scores = Table("score, %", "best dev", "default dev", "best test", "default test", title=title)
    columns = _columns(result.result)
    # Rows are the scores of the best on dev; what another column lacks is "-".
    for name in columns[0]:
        scores.add_row(name, *(show_score(name, column.get(name)) for column in columns))
    console.print(recipe, scores)
    for text in _judgement(result.result):
        console.print(text, soft_wrap=True)
    counts = result.trials["status"].value_counts().to_dict()
    runs = f" and {count_of(count_runs(finals), 'run')} of the final stage" if finals else ""
    console.print(
        f"{count_of(len(result.trials), 'trial')} "
        f"({', '.join(f'{n} {s}' for s, n in counts.items())}){runs} "
        f"in {result.seconds / 60:.1f} minutes"
    )
    for what, command in (
        ("model", str(result.folder / "best")),
        ("report", str(result.folder / "report.html")),
        ("replay", result.replay),
        ("predict", f'mtl predict {result.folder} "some text"'),
        ("curves", f"tensorboard --logdir {result.folder / 'tensorboard'}"),
    ):
        # Unwrapped, so that a command can be copied from a narrow terminal.
        console.print(f"{what + ':':9}{command}", soft_wrap=True)


def tell_result(result: "StudyResult", lines: "EventLines") -> None:
    """Writes the same for programs: the last event."""
    from tuning.watch.events import ResultEvent

    lines.write(
        ResultEvent(
            folder=str(result.folder),
            model=str(result.folder / "best"),
            report=str(result.folder / "report.md"),
            replay=result.replay,
            verdict=verdict(result.result),
            cautions=tuple(cautions(result.result)),
            result=result.result.to_json(),
        )
    )


def _judgement(result: "Result") -> Iterator[str]:
    yield verdict(result)
    yield from cautions(result)
    if result.baselines:
        yield gains_sentence(result.baselines, shown=str)
    found = on_test(result.best, result.default) if result.best and result.default else None
    # Scores on all of test stand in the table.
    if found is not None and found.where == UNSEEN:
        yield against(found.where, found.best, found.default)


def _columns(result: "Result") -> list[dict[str, float]]:
    """Returns the scores of best and default on dev, and then on test."""
    splits, finals = ("dev", "test"), result.finals
    if finals is None:
        return [_scores(one, split) for split in splits for one in (result.best, result.default)]
    return [_means(one, split) for split in splits for one in (finals.best, finals.default)]


def _means(recipe: "FinalRecipe | None", split: str) -> dict[str, float]:
    found = (recipe.dev if split == "dev" else recipe.test) if recipe is not None else None
    return {name.replace("/", " ", 1): one.mean for name, one in (found or {}).items()}


def _scores(final: "FinalScores | None", split: str) -> dict[str, float]:
    tree = (final.dev if split == "dev" else final.test) if final is not None else None
    return flatten(tree)


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
