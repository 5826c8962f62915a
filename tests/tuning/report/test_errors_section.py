"""The section of a report on where the best model errs, and its figure."""

import math
import re
from dataclasses import replace

import pytest
from hostile import MARKUP
from markdown_it import MarkdownIt
from summaries import SUMMARY

from mtl_core.task_errors import (
    Confused,
    LabelErrors,
    LabelTables,
    RangeErrors,
    TaskErrors,
    WrongRow,
)
from tuning.report.errors import errors_section
from tuning.report.figures.errors import confusions
from tuning.report.html.study import study_page
from tuning.report.render import render_report, report_sections
from tuning.report.summary import Unfinished

PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
TABLES = LabelTables(
    "type of spans",
    (LabelErrors("city", 8, 6, 5), LabelErrors("day", 4, 5, 3), LabelErrors("hour", 9, 9, 9)),
    (Confused("city", "day", 2), Confused("city", None, 1), Confused(None, "city", 1),
     Confused("day", "day", 1, "other borders")),
    3,
    4,
)  # fmt: skip
ROWS = tuple(WrongRow(n, f"text {n}", "city=rome", "", float(30 - n), "d") for n in range(1, 21))
SPANS = TaskErrors(
    rows=50, wrong=20, unit="rows", measure="spans missed or wrong", worst=ROWS, labels=TABLES
)


def table_of(parts: list[str], first: str) -> list[list[str]]:
    """The cells of the table whose header begins with a word."""
    [found] = [part for part in parts if part.startswith(f"| {first} |")]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in found.split("\n")]


def test_the_section_says_how_many_are_wrong_and_shows_what_is_taken_for_what() -> None:
    parts = errors_section({"slots": SPANS}, worst=5)
    assert "20 of 50 rows are not right (40.0 %)." in parts
    header, _, *labels = table_of(parts, "type of spans")
    assert header[1:] == ["there", "given", "both", "precision, %", "recall, %"]
    assert labels == [
        ["city", "8", "6", "5", "83.33", "62.50"],
        ["day", "4", "5", "3", "60.00", "75.00"],  # hour has no errors
    ]
    pairs = table_of([part for part in parts if "times" in part], "right")
    assert pairs[2:] == [
        ["city", "day", "2", ""],
        ["city", "nothing", "1", ""],
        ["nothing", "city", "1", ""],
        ["day", "day", "1", "other borders"],
    ]
    worst = table_of(parts, "text")
    assert worst[0] == ["text", "right", "row", "spans missed or wrong"]  # none was given
    assert worst[2:] == [[f"text {n}", "city=rome", str(n), str(30 - n)] for n in range(1, 6)]
    assert len(table_of(errors_section({"slots": SPANS}), "text")) == 2 + 20


def test_a_section_shows_numbers_by_range_and_rows_of_several_data_sets() -> None:
    rows = (WrongRow(3, "far", "9", "1", 8.0, "a"), WrongRow(1, "near", "1", "2", 1.0, "b"))
    ranges = (RangeErrors(None, 2.5, 4, -0.0, 0.5), RangeErrors(2.5, None, 1, math.nan, 2.0))
    found = TaskErrors(rows=5, unit="rows", measure="distance", worst=rows, ranges=ranges)
    parts = errors_section({"stars": found})
    assert "5 rows." in parts
    assert table_of(parts, "right number")[2:] == [
        ["to 2.5", "4", "+0", "0.5"], ["from 2.5", "1", "+nan", "2"]]  # fmt: skip
    assert [row[3] for row in table_of(parts, "text")] == ["data set", "---", "a", "b"]


def test_long_tables_say_how_much_is_left_out() -> None:
    each = tuple(LabelErrors(str(n), 2, 0, 0) for n in range(100))
    pairs = tuple(Confused(str(n), str(n + 1), 1) for n in range(100))
    tables = LabelTables("label", each, pairs, 150, 400)
    found = TaskErrors(rows=300, wrong=300, unit="rows", measure="distance", labels=tables)
    parts = errors_section({"intent": found})
    assert len(table_of(parts, "label")) == 2 + 10
    assert "And 390 more." in parts


@pytest.mark.parametrize("text", MARKUP)
def test_what_stands_in_data_is_shown_as_it_is(text: str) -> None:
    rows = WrongRow(1, text, text, text, 2.0, text), WrongRow(2, text, text, text, 1.0, "other")
    tables = LabelTables("label", (LabelErrors(text, 1, 0, 0),), (Confused(text, None, 1, text),),
                         1, 1)  # fmt: skip
    found = TaskErrors(rows=1, wrong=1, unit="rows", measure="distance", worst=rows, labels=tables)
    blocks = PARSER.parse("\n\n".join(errors_section({text: found})))
    types = {token.type for block in blocks for token in (block, *(block.children or ()))}
    assert types <= {
        *(f"{name}_{end}" for name in ("table", "thead", "tbody", "tr", "th", "td")
          for end in ("open", "close")),
        *("heading_open", "heading_close", "paragraph_open", "paragraph_close"),
        *("inline", "text", "code_inline"),
    }  # fmt: skip
    cells = [block for block in blocks if block.type == "td_open"]
    # Columns that are empty in all rows are left out.
    assert len(cells) == (6 + 4 + 2 * 6 if text else 6 + 3 + 2 * 3)
    figure = confusions(tables)
    assert "<" not in f"{figure.layout.yaxis.ticktext} {figure.data[0].customdata}"


def test_a_report_has_the_section_when_the_study_is_finished() -> None:
    text = render_report(SUMMARY, errors={"slots": SPANS})
    assert "## Errors of the best model" in text
    assert "text 5" in text
    assert "text 6" not in text  # short: the page and `errors.json` have more
    unfinished = replace(SUMMARY, unfinished=Unfinished("running", 1, 2, "mtl tune"))
    assert "## Errors" not in render_report(unfinished, errors={"slots": SPANS})
    assert "## Errors" not in render_report(SUMMARY)
    assert errors_section({}) == []


def test_the_figure_has_a_field_for_each_pair_with_shares_of_what_is_right() -> None:
    figure = confusions(TABLES)
    [drawn] = figure.data
    assert list(figure.layout.yaxis.ticktext) == ["city", "day", "hour", "(nothing)"]
    assert list(figure.layout.xaxis.ticktext) == [
        "city", "day", "hour", "(other borders)", "(nothing)"]  # fmt: skip
    assert [list(row) for row in drawn.text] == [
        ["5", "2", "", "", "1"],
        ["", "3", "", "1", ""],
        ["", "", "9", "", ""],
        ["1", "", "", "", ""],
    ]
    # Each row adds up to all that is right: nothing is left out.
    assert [sum(share or 0 for share in row) for row in drawn.z] == pytest.approx([100] * 4)
    # What never was is a gap, which has the colour of the page.
    assert [[share is None for share in row] for row in drawn.z] == [
        [not text for text in row] for row in drawn.text
    ]
    assert drawn.texttemplate == "%{text}"
    assert figure.layout.yaxis.autorange == "reversed"


def test_many_long_labels_can_be_read() -> None:
    names = [f"{'very_' * 10}long_{at}" for at in range(30)]
    each = tuple(LabelErrors(name, 1000, 990, 980) for name in names)
    pairs = tuple(Confused(name, names[0], 20) for name in names[1:])
    tables = LabelTables("label", each, pairs, len(pairs), 600)
    figure = confusions(tables)
    [drawn] = figure.data
    for axis in (figure.layout.xaxis, figure.layout.yaxis):
        assert len(axis.ticktext) == 20
        assert all(len(text) < 25 and "..." in text for text in axis.ticktext)
        # Each label is told in full by a field, and the title stands behind them all.
        assert axis.title.standoff is not None
    assert f"right {names[2]}, given {names[0]}" in drawn.customdata[2]
    assert drawn.text[2][0] == "20"
    # 1,000 has no room in a field of a figure with so many.
    assert drawn.texttemplate is None
    errors = {"intent": TaskErrors(rows=1, unit="rows", measure="distance", labels=tables)}
    page = study_page(SUMMARY, report_sections(SUMMARY, errors=errors), errors=errors)
    shown = page.partition("What intent takes for what")
    assert shown[0].rfind('<figure class="wide">') > shown[0].rfind('<figure class="narrow">')
    [width] = re.findall(r"min-width:(\d+)px", shown[2])[:1]
    # Letters are 7 pixels wide, and a slanted line of them is less than 20 high.
    assert int(width) >= 20 * 20 + 24 * 7
    assert "the number is how often" not in shown[2]


def test_the_page_has_all_kept_rows_and_the_figure() -> None:
    errors = {"slots": SPANS, "stars": TaskErrors(rows=5, unit="rows", measure="distance")}
    sections = report_sections(SUMMARY, errors=errors)
    page = study_page(SUMMARY, sections, errors=errors)
    assert [f"<code>text {n}</code>" in page for n in (1, 5, 6, 20)] == [True] * 4
    assert page.count("takes for what") == 1  # nothing is drawn of a task without labels
    assert "takes for what" not in study_page(SUMMARY, report_sections(SUMMARY))
