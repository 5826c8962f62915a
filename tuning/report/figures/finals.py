"""What the final stage measured: means over seeds with intervals, and each run as a dot."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.scores import flatten
from tuning.records import DEFAULT_ID
from tuning.report.figures.drawing import BEST, DEFAULT, FAINT, PLAIN, Score, begun, label

if TYPE_CHECKING:
    from plotly.graph_objects import Figure, Scatter

    from tuning.statistics.estimates import Difference, Estimate
    from tuning.study.finals import FinalRecipe, Finals

Split = Literal["dev", "test"]
_MOST_LETTERS = 28
"""On a line at an axis."""


def final_means(finals: "Finals", score: str = "combined", *, split: Split = "dev") -> "Figure":
    """Draws the mean of a score over the runs of each recipe with its 95 % interval, and each run.

    Args:
        finals: What the final stage found.
        score: Flat name of the score, "combined" or "intent/accuracy".
        split: The split that was scored; recipes that were not scored on it are left out.
    """
    drawn = [recipe for recipe in finals.recipes if score in _means(recipe, split)]
    shown = _score(score)
    # Plotly begins at the bottom.
    drawn.reverse()
    names = [label(recipe.id) for recipe in drawn]
    means = [_means(recipe, split)[score] for recipe in drawn]
    known = {DEFAULT_ID: DEFAULT, finals.chosen: BEST}
    colours = [known.get(recipe.id, PLAIN) for recipe in drawn]
    figure = begun(
        _runs(drawn, names, score, split),
        _whiskers(means, names, [shown] * len(drawn), colours),
        x=f"{shown.title} on {split}",
        height=150 + 36 * len(drawn),
    )
    figure.update_yaxes(type="category", title_text="recipe of trial")
    figure.update_layout(showlegend=False)
    return figure


def differences(found: "Sequence[Difference]", names: Sequence[str] = ()) -> "Figure":
    """Draws differences with their 95 % intervals around zero, one line each.

    Args:
        found: Differences, at least one.
        names: What they are called; none = by their recipes and scores.
    """
    colours = [FAINT if one.claim == "cannot be told" else PLAIN for one in found]
    scores = [_score(one.score) for one in found]
    # By number: of names that are cut two may be the same.
    rows = list(range(len(found)))
    whiskers = _whiskers([one.estimate for one in found], rows, scores, colours)
    shown = [label(name, _MOST_LETTERS) for name in names] or [_named(one) for one in found]
    whole = [label(name) for name in names] or [one.replace("<br>", ", ") for one in shown]
    whiskers.update(text=whole, hovertemplate="%{text}: %{x:.2f}<extra></extra>")
    figure = begun(whiskers, x="difference, points", height=130 + 36 * len(found))
    figure.add_vline(0, line_color=FAINT, line_width=1)
    figure.update_yaxes(tickvals=rows, ticktext=shown, autorange="reversed")
    return figure


def _named(one: "Difference") -> str:
    # On two lines, so that there is room beside it on a narrow page.
    recipes = f"{one.first} - {one.second}"
    score = f"{one.score} on {one.where}"
    return f"{label(recipes, _MOST_LETTERS)}<br>{label(score, _MOST_LETTERS)}"


def _means(recipe: "FinalRecipe", split: Split) -> "dict[str, Estimate]":
    return dict((recipe.dev if split == "dev" else recipe.test) or {})


def _score(name: str) -> Score:
    task, _, score = name.rpartition("/")
    return Score(task, score)


def _runs(
    recipes: "Sequence[FinalRecipe]", names: Sequence[str], score: str, split: Split
) -> "Scatter":
    import plotly.graph_objects as go

    shown = _score(score)
    points = [
        (shown.shown(value), name, f"seed {run.seed}")
        for recipe, name in zip(recipes, names, strict=True)
        for run in recipe.seeds
        if (value := flatten(run.dev if split == "dev" else run.test, "/").get(score)) is not None
    ]
    return go.Scatter(
        x=[x for x, _, _ in points],
        y=[y for _, y, _ in points],
        text=[text for _, _, text in points],
        mode="markers",
        marker={"color": FAINT, "size": 7, "symbol": "circle-open"},
        hovertemplate="%{text}: %{x:.2f}<extra></extra>",
    )


def _whiskers(
    estimates: "Sequence[Estimate]",
    rows: Sequence[str | int],
    scores: Sequence[Score],
    colours: Sequence[str],
) -> "Scatter":
    import plotly.graph_objects as go

    drawn = list(zip(estimates, scores, strict=True))
    return go.Scatter(
        x=[score.shown(one.mean) for one, score in drawn],
        y=list(rows),
        mode="markers",
        marker={"color": list(colours), "size": 11, "symbol": "diamond"},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [score.shown(one.high - one.mean) for one, score in drawn],
            "arrayminus": [score.shown(one.mean - one.low) for one, score in drawn],
            "color": FAINT,
        },
        hovertemplate="%{y}: %{x:.2f}<extra></extra>",
    )
