"""How `mtl check` shows a search space: a table of what is drawn, and the points tried first."""

from collections.abc import Iterator

from rich.table import Table

from tuning.records import Value
from tuning.space.domains import spelled
from tuning.space.space import Parameter
from tuning.study.config import StudyFile

_WIDEST = {"parameter": 34, "kind": 13, "prior": 12, "default": 9}
"""Characters of columns on a terminal of 80."""


def space_table(study: StudyFile) -> Table:
    """Returns a row for each parameter that trials are shown with."""
    defaults, shown = study.default_parameters, study.space.shown
    rows = {
        "parameter": [one.name for one in shown],
        "kind": [one.domain.kind for one in shown],
        "values": [str(one.domain) for one in shown],
        "prior": [_prior(one) for one in shown],
        "default": [spelled(_short(defaults[one.name])) if one.name in defaults else "-"
                    for one in shown],
    }  # fmt: skip
    if not any(one.prior is not None for one in shown):
        del rows["prior"]
    # Without lines, so that keys stand whole: they are searched for on the page, and copied.
    table = Table(title="Search space", box=None, padding=(0, 2, 0, 0), title_justify="left")
    for column, cells in rows.items():
        longest = max(map(len, (column, *cells)))
        # Widths are given, but for one: Rich would take the room of the last column.
        width = min(longest, _WIDEST[column]) if column in _WIDEST else None
        table.add_column(column, overflow="fold", width=width)
    for row in zip(*rows.values(), strict=True):
        table.add_row(*row)
    if "prior" in rows:
        table.caption = "prior: two thirds of its draws; of options the likeliest, and its share"
        table.caption_justify = "left"
    return table


def decoding_lines(study: StudyFile) -> Iterator[str]:
    """Yields a line for each parameter that is searched on trained models."""
    for one in study.decoding_space.shown:
        yield f"searched without training, when a trial ends: {one.name}: {one.domain}"


def first_points(study: StudyFile) -> Iterator[str]:
    """Yields a line for each point that is tried first."""
    for number, point in enumerate(study.given_points[1:], start=1):
        shown = study.space.of_drawn(point)
        values = " ".join(f"{name}={spelled(_short(value))}" for name, value in shown.items())
        rest = "" if study.space.overrides_of(point) else ", the rest drawn"
        yield f"trial {number} tries {values}{rest}"


def _prior(parameter: Parameter) -> str:
    """Returns where two thirds of the draws of a prior lie; of options the likeliest alone."""
    prior, domain = parameter.prior, parameter.domain
    if prior is None:
        return "-"
    if not domain.has_order:
        middles = [(number + 0.5) / len(domain.options) for number in range(len(domain.options))]
        likeliest = max(middles, key=prior.density)
        share = prior.density(likeliest) / len(domain.options)
        return f"{spelled(domain.in_effect(domain.at(likeliest)))} {share:.0%}"
    ends = (domain.in_effect(domain.at(prior.quantile(share))) for share in (1 / 6, 5 / 6))
    return " to ".join(spelled(_short(end)) for end in ends)


def _short(value: Value) -> Value:
    """Returns a number with as many digits as a table has room for."""
    return float(f"{value:.3g}") if isinstance(value, float) else value
