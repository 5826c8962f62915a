"""The importance of parameters as bars, with how sure it is."""

from typing import TYPE_CHECKING

from tuning.report.figures.drawing import FAINT, PLAIN, begun, label
from tuning.report.importance import Importance

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def importance_bars(importance: Importance) -> "Figure":
    """Draws the share of each parameter, the most important on top.

    Args:
        importance: For one score.
    """
    import plotly.graph_objects as go

    # Plotly begins at the bottom.
    shares = list(importance.shares.items())[::-1]
    bars = go.Bar(
        x=[100 * one.share for _, one in shares],
        y=[label(name) for name, _ in shares],
        orientation="h",
        marker_color=PLAIN,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [100 * (one.high - one.share) for _, one in shares],
            "arrayminus": [100 * (one.share - one.low) for _, one in shares],
            "color": FAINT,
        },
        hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
    )
    height = 120 + 26 * len(shares)
    return begun(bars, x=f"share for {label(importance.score)}, %", height=height)
