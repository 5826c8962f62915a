"""The page of a study, `report.html`: what stands in it, and which figures in which section.

One file per section draws its figures.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from mtl_core.task_errors import NO_ERRORS, Errors
from tuning.report.errors import errors_section
from tuning.report.figures.parameters import NO_SCALES, Scales
from tuning.report.figures.progress import Order
from tuning.report.html.drawable import Drawable, drawable
from tuning.report.html.drawn import Drawn
from tuning.report.html.page import render_page
from tuning.report.html.sections.errors import errors as error_figures
from tuning.report.html.sections.finals import finals
from tuning.report.html.sections.front import front
from tuning.report.html.sections.gains import gains
from tuning.report.html.sections.importance import importance
from tuning.report.html.sections.parameters import contour_notes, parameters
from tuning.report.html.sections.progress import progress
from tuning.report.html.sections.sharing import sharing
from tuning.report.render import Section
from tuning.report.summary import StudySummary

Draw = Callable[[Drawable], Iterator[Drawn]]

FIGURES: Mapping[str, Draw] = {
    "scores": finals,
    "gains": gains,
    "front": front,
    "errors": error_figures,
    "progress": progress,
    "importance": importance,
    "parameters": parameters,
    "sharing": sharing,
}
"""Key of a section -> what draws its figures, which may be none."""
_PICTURES = Section("parameters", ["## Score by parameter"])
"""For its figures, so the text has no such section; it stands behind the importance."""


def study_page(
    summary: StudySummary,
    sections: Sequence[Section],
    order: Order = (),
    errors: Errors = NO_ERRORS,
    scales: Scales = NO_SCALES,
) -> str:
    """Returns the page of a study.

    Args:
        summary: What its report shows.
        sections: What `report.md` says of it.
        order: The order in which reports were made.
        errors: Where its best model errs; the page shows more of its worst rows than the text.
        scales: On which scales its parameters were drawn.
    """
    study = drawable(summary, order, errors, scales)
    drawn = {key: list(draw(study)) for key, draw in FIGURES.items()}
    whole = errors_section(errors)
    shown = [replace(one, parts=whole) if one.key == "errors" else one for one in sections]
    if drawn[_PICTURES.key]:
        at = [section.key for section in shown].index("importance")
        notes = contour_notes(study)
        shown.insert(at + 1, replace(_PICTURES, parts=[*_PICTURES.parts, *notes]))
    return render_page(summary.name, shown, drawn)
