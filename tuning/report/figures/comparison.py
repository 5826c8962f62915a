"""Several studies in one figure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tuning.report.figures.drawing import OBJECTIVE, Score, begun, colours_of, label
from tuning.report.figures.progress import Cost, Moment, best_line, unit_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def studies_so_far(studies: Mapping[str, Sequence[Moment]], *, cost: Cost = "epochs") -> "Figure":
    """Draws the highest score on dev so far of several studies against what each had spent.

    Args:
        studies: What a study is called -> the study at each report.
        cost: What was spent.
    """
    scale, unit = unit_of([one for some in studies.values() for one in some], cost)
    lines = [best_line(some, cost, scale, label(name)) for name, some in studies.items()]
    for line, colour in zip(lines, colours_of(studies).values(), strict=True):
        line.update(line_color=colour)
    return begun(*lines, x=unit, y=OBJECTIVE.title)


def scores_side_by_side(
    found: Mapping[str, tuple[float, float | None, float | None]],
    score: str,
    *,
    among: Sequence[str] = (),
) -> "Figure":
    """Draws a score of several studies.

    Args:
        found: What a study is called -> its score, and the ends of its interval where it has one.
        score: Flat name of the score, "combined" or "intent/accuracy".
        among: All studies that are compared, so that each has one colour on all figures; none =
            those of `found`.
    """
    import plotly.graph_objects as go

    task, _, name = score.rpartition("/")
    shown = Score(task, name)
    # Plotly begins at the bottom.
    studies = list(found.items())[::-1]
    colours = colours_of(among or found)
    up = [shown.shown(high - mean) if high is not None else 0 for _, (mean, _, high) in studies]
    down = [shown.shown(mean - low) if low is not None else 0 for _, (mean, low, _) in studies]
    dots = go.Scatter(
        x=[shown.shown(mean) for _, (mean, _, _) in studies],
        y=list(range(len(studies))),
        mode="markers",
        marker={"color": [colours[name] for name, _ in studies], "size": 11, "symbol": "diamond"},
        error_x={"type": "data", "symmetric": False, "array": up, "arrayminus": down},
        text=[label(name) for name, _ in studies],
        hovertemplate="%{text}: %{x:.2f}<extra></extra>",
    )
    figure = begun(dots, x=shown.title, height=130 + 32 * len(studies))
    # By number: of names that are cut two may be the same.
    ticks = [label(name) for name, _ in studies]
    figure.update_yaxes(tickvals=list(range(len(studies))), ticktext=ticks)
    return figure
