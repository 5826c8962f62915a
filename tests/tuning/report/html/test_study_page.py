"""`report.html`: what `report.md` says with figures, in one file that fetches nothing."""

import base64
import hashlib
import html
import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest
from hostile import MARKUP, STEERING
from plotly.offline import get_plotlyjs
from summaries import BEST, DEFAULT, RECORDS, SUMMARY
from trials import record

from tuning.goals import Goal
from tuning.records import Status, TrialRecord
from tuning.report.html.study import study_page
from tuning.report.importance import Importance, Share
from tuning.report.render import render_report, report_sections
from tuning.report.summary import StudySummary
from tuning.study.reached import Reached
from tuning.study.result import Result

TAGS = {
    "html", "head", "meta", "title", "style", "body", "nav", "ul", "li", "a", "main", "section",
    "h1", "h2", "h3", "p", "strong", "code", "pre", "div", "table", "thead", "tbody", "tr", "th",
    "td", "wbr", "figure", "figcaption", "script", "details", "summary",
}  # fmt: skip


CELLS = re.compile(r"(?<!\\)\|")


class Page(HTMLParser):
    """What a browser makes of a page: its tags with their attributes, its texts, its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.cells: list[list[str]] = []
        self.headings: list[str] = []
        self.texts = ""
        self._within = ""
        # Nearly all of a page, and slow to read.
        self.feed(text.replace(get_plotlyjs(), "plotly"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.cells.append([])
        if tag in ("td", "th"):
            self.cells[-1].append("")
        if tag in ("td", "th", "h1", "h2", "h3", "script"):
            self._within = tag
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        self._within = "" if tag == self._within else self._within

    def handle_data(self, data: str) -> None:
        self.texts += data
        if self._within == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self._within in ("td", "th"):
            self.cells[-1][-1] += data
        elif self._within:
            self.headings[-1] += data

    @property
    def figures(self) -> list[dict]:
        """What plotly draws."""
        return [json.loads(text) for attrs, text in self.scripts if "data-figure" in attrs]


def page_of(summary: StudySummary) -> str:
    return study_page(summary, report_sections(summary))


def summary_of(records: Sequence[TrialRecord], **change: object) -> StudySummary:
    return replace(SUMMARY, records=records, **change)


def test_it_says_what_the_text_says() -> None:
    text, page = render_report(SUMMARY), Page(page_of(SUMMARY))
    rows = [
        # Behind more than one backtick a space belongs to the mark.
        [cell.strip().strip("`").strip().replace(r"\|", "|") for cell in CELLS.split(line)[1:-1]]
        for line in text.splitlines()
        if line.startswith("|") and not line.startswith("| ---")
    ]
    assert [[cell.strip() for cell in cells] for cells in page.cells] == rows
    headings = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    assert [one for one in page.headings if one in headings] == headings


def test_it_is_one_file_that_fetches_nothing_and_runs_its_own_scripts() -> None:
    text = page_of(SUMMARY)
    assert len(text.encode()) < 6_000_000
    page = Page(text)
    scripts = [script for attrs, script in page.scripts if "data-figure" not in attrs]
    assert scripts[0] == "plotly"
    assert text.count(f"<script>{get_plotlyjs()}</script>") == 1
    scripts[0] = get_plotlyjs()
    policy = next(dict(attrs) for tag, attrs in page.tags if "http-equiv" in attrs)["content"]
    hashes = re.findall(r"'sha256-([^']+)'", policy or "")
    # A browser compares the hash of what stands between the tags.
    assert hashes == [
        base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts
    ]
    assert "default-src 'none'" in policy
    names = {name for _, attrs in page.tags for name in attrs}
    assert not names & {"src", "srcset", "action", "formaction", "data", "background", "poster"}
    links = {attrs["href"] for tag, attrs in page.tags if "href" in attrs}
    ids = {attrs["id"] for tag, attrs in page.tags if "id" in attrs}
    assert {link.removeprefix("#") for link in links} <= ids


def test_figures_have_words_for_those_who_do_not_see_them() -> None:
    page = Page(page_of(SUMMARY))
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    plots = [attrs for _, attrs in page.tags if attrs.get("role") == "img"]
    assert len(plots) == len(page.figures) > 5
    for attrs in plots:
        assert {attrs["aria-labelledby"], attrs["aria-describedby"]} <= ids


def hostile(text: str) -> StudySummary:
    records = [
        replace(one, parameters={text: f"{text}{at}", "rate": 0.1 * at}, error=text)
        for at, one in enumerate(RECORDS)
    ]
    reports = [
        replace(one, dev={text: {"accuracy": 0.5}, "x": {text: 0.25}}) for one in RECORDS[1].reports
    ]
    records[1] = replace(records[1], reports=tuple(reports))
    return summary_of(
        records,
        name=text,
        folder=text,
        replay=text,
        importances=[Importance(text, {text: Share(1.0, 0.5, 1.0)})],
        result=Result(best=replace(BEST, parameters={text: text}), default=DEFAULT),
    )


@pytest.mark.parametrize("text", ["".join(MARKUP), "</script><script>alert(1)</script>", "<!--"])
def test_no_name_becomes_a_tag(text: str) -> None:
    page = Page(page_of(hostile(text)))
    assert {tag for tag, _ in page.tags} <= TAGS
    plain = Page(page_of(hostile("name")))
    count = [sum(tag == "script" for tag, _ in one.tags) for one in (page, plain)]
    assert count[0] == count[1]
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    hrefs = [attrs["href"] for _, attrs in page.tags if "href" in attrs]
    assert all(href.startswith("#") for href in hrefs)
    assert page.figures  # Each is JSON still.


def test_no_name_steers_a_reader() -> None:
    text = "".join(raw for raw, _ in STEERING.values() if "\ud800" not in raw)
    page = page_of(hostile(text)).partition("<script>")[0]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_a_title_is_text() -> None:
    page = page_of(replace(SUMMARY, name="</title><b>"))
    assert f"<title>{html.escape('</title><b>')}</title>" in page


FAILED = replace(RECORDS[2], id="0000")
ONE = record(0, "complete", 0.5)


@pytest.mark.parametrize(
    ("records", "result", "figures"),
    [
        ([FAILED], Result(), 0),
        ([FAILED, replace(FAILED, id="0001")], Result(), 0),
        # Progress by epochs and by time, and its curve.
        ([ONE], Result(best=replace(BEST, trial="0000"), default=DEFAULT), 3),
        ([ONE, FAILED], Result(best=replace(BEST, trial="0000"), default=DEFAULT), 4),
        ([record(0, "running")], Result(), 0),
    ],
)
def test_a_study_of_which_little_is_known_has_a_page(
    records: list[TrialRecord], result: Result, figures: int
) -> None:
    page = Page(page_of(summary_of(records, result=result, importances=())))
    assert len(page.figures) == figures
    assert page.headings[0] == "Study demo"


def test_a_page_without_figures_carries_no_plotly() -> None:
    page = page_of(summary_of([FAILED], result=Result(), importances=()))
    assert len(page) < 20_000
    assert "script-src 'none'" in page


def test_a_study_of_several_objectives_shows_its_front() -> None:
    goal = Reached(aim=Goal(tasks=("intent", "slots")), chosen="0001")
    summary = summary_of(RECORDS, result=replace(SUMMARY.result, goal=goal))
    names = {trace["name"] for one in Page(page_of(summary)).figures for trace in one["data"]
             if "name" in trace}  # fmt: skip
    assert "chosen" in names


def test_a_page_of_many_trials_stays_small() -> None:
    draw = random.Random(0)
    records = [
        replace(
            record(number, "complete", *(draw.random() for _ in range(8))),
            parameters={name: draw.random() for name in ("a", "b", "c")},
        )
        for number in range(400)
    ]
    page = page_of(summary_of(records))
    assert len(Page(page).figures) > 10
    assert len(page.encode()) < 6_000_000


def scattered(number: int) -> list[TrialRecord]:
    """So many trials with two numbers, and as many that were stopped early."""
    draw = random.Random(0)
    statuses: list[Status] = ["complete", "stopped"]
    return [
        replace(
            record(2 * at + behind, status, draw.random()),
            parameters={"a": draw.random(), "b": draw.random(), "kind": "xy"[at % 2]},
        )
        for at in range(number)
        for behind, status in enumerate(statuses)
    ]


@pytest.mark.parametrize(("number", "contours"), [(19, 0), (20, 1), (38, 1), (40, 3)])
def test_contours_of_too_few_trials_are_left_out_with_a_line_that_says_why(
    number: int, contours: int
) -> None:
    page = page_of(summary_of(scattered(number), importances=()))
    # Of all, and of each kind with 20 trials of its own.
    assert len(re.findall("<h3[^>]*>a and b(, kind .)?</h3>", page)) == contours
    assert ("There are no contours" in page) == (not contours)


def test_where_no_two_numbers_vary_nobody_misses_contours() -> None:
    records = [replace(one, parameters={"a": at}) for at, one in enumerate(scattered(5))]
    page = page_of(summary_of(records, importances=()))
    assert ">a</h3>" in page
    assert "contours" not in page.partition("<script>")[0]


STYLE = (files("tuning.report.html") / "page.css").read_text(encoding="utf-8")


def test_of_a_long_table_the_first_rows_are_shown_and_the_others_wait() -> None:
    records = [record(number, "complete", 0.5) for number in range(40)]
    page = page_of(summary_of(records))
    assert page.count("<details") == page.count("</details>") == 1
    [(frame, shown)] = re.findall(
        r'<div class="scroll"[^>]*>\s*<table>(?:(?!</table>).)*</table>\s*</div>\s*'
        r'<details class="(\w+)"><summary>(\d+) more rows</summary></details>',
        page,
        re.DOTALL,
    )
    # The style hides what stands behind the ones that are not counted here, on a screen alone.
    hidden = re.search(r"@media screen {\s*([^{]*){ display: none; }", STYLE)
    assert hidden is not None
    assert hidden[1].split() == (
        f".scroll:has(+ .{frame}:not([open])) tbody tr:nth-child(n + {40 - int(shown) + 1})".split()
    )


def test_a_command_is_wrapped_and_long_names_may_be() -> None:
    [rule] = re.findall(r"^pre {([^}]*)}", STYLE, re.MULTILINE)
    assert "white-space: pre-wrap" in rule
    assert "overflow-x" not in rule
    page = page_of(SUMMARY)
    assert "<code>optimizer.<wbr>encoder_<wbr>lr</code>" in page
    # What is copied has no more in it than before.
    assert SUMMARY.replay in Page(page).texts


def test_a_text_in_a_table_is_given_some_width() -> None:
    sentence = "what color is your sky by alana davis on the stereo"
    records = [replace(one, error=sentence) for one in RECORDS]
    page = page_of(summary_of(records))
    [kind] = re.findall(f'<code class="(.*)">{sentence}</code>', page)
    [rule] = re.findall(rf"^td code\.{kind} {{([^}}]*)}}", STYLE, re.MULTILINE)
    assert "min-width" in rule
    assert "<code>freezing</code>" in page


def test_what_scrolls_sideways_has_a_shade_at_its_edge() -> None:
    [rule] = re.findall(r"^\.scroll {([^}]*)}", STYLE, re.MULTILINE)
    assert "overflow-x: auto" in rule
    # Two shades stay, and two covers move with what is scrolled.
    assert rule.count("scroll,") + rule.count("scroll;") >= 2
    assert rule.count(" local") == 2
    for name in ("--shade", "--clear"):
        assert STYLE.count(f"{name}: #") == 2  # on white and on black
