"""Texts of data in the model card and the report, read by a Markdown parser of its own."""

import html
from dataclasses import replace

import pytest
from conftest import RunConfigFactory
from hostile import MARKUP, READABLE, STEERING
from markdown_it import MarkdownIt
from markdown_it.token import Token
from ruamel.yaml import YAML
from strangers import Trusted
from summaries import BEST, RECORDS, SUMMARY

from mtl_core.card_data import CardFacts
from mtl_core.markdown import code, plain, readable
from mtl_core.model_card import render_card
from mtl_core.printable import one_line, printable
from tuning.report.importance import Importance, Share
from tuning.report.markdown import shell, table
from tuning.report.render import render_report

TEXTS = [*MARKUP, *(text for text, _ in STEERING.values()), *READABLE.values()]
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def tokens(text: str) -> list[Token]:
    blocks = PARSER.parse(text)
    return [token for block in blocks for token in (block, *(block.children or ()))]


def types(text: str) -> set[str]:
    return {token.type for token in tokens(text)}


def texts(text: str) -> list[str]:
    """What a reader sees: code spans and text."""
    return [t.content for t in tokens(text) if t.type in ("code_inline", "text", "fence")]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_becomes_itself_and_nothing_else(text: str) -> None:
    for made in (code(text), plain(text)):
        alone = f"before {made} after"
        assert types(alone) <= {
            *("paragraph_open", "paragraph_close", "inline", "text", "code_inline", "text_special"),
            "entity",
        }
        assert "\n" not in made
        assert made == printable(made)
        assert PARSER.render(alone).count("<") == 2 + 2 * made.startswith("`")
        read = html.unescape(PARSER.render(alone).removeprefix("<p>before "))
        read = read.removeprefix("<code>").replace("</code>", "").removesuffix(" after</p>\n")
        expected = " ".join(one_line(" ".join(text.splitlines())).split())
        assert " ".join(read.split()) in (expected, "(empty)")


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_stays_in_its_cell(text: str) -> None:
    made = table(["a", "b", "c"], [[code(text), plain(text), "end"]])
    rows = [t for t in tokens(made) if t.type == "td_open"]
    assert len(rows) == 3
    assert texts(made)[-1] == "end"
    assert not {"html_inline", "html_block", "link_open", "image"} & types(made)


@pytest.mark.parametrize(
    "text",
    [
        "task 'slots': 203 of 7,379 rows have a word that no label is of, e.g. \"x\" (12 %)",
        "half of train; study.finals = 5, 2 > 1 & 1 < 2; 2 + 4 - 1 = 5?",
        "an_underlined_word, a/path-name.csv #3!",
    ],
)
def test_ordinary_punctuation_is_left_as_it_is(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("(`overlaps: longest`)", r"(\`overlaps: longest\`)"),
        ("a:b http://x", r"a\:b http\://x"),
        ("<b> & &amp; a < b", "&lt;b> & &amp;amp; a < b"),
        ("a | b, 5 $", "a &#124; b, 5 &#36;"),
        ("{x} {{y}} {% z %}", r"\{x} \{\{y}} &#123;% z %}"),
        ("# a #", r"\# a \#"),
        ("12. a 1.", r"12\. a 1."),
        ("- a - b", r"\- a - b"),
        ("1 == 1", r"1 \=\= 1"),
    ],
)
def test_what_can_act_is_escaped(text: str, shown: str) -> None:
    assert plain(text) == shown
    for begin in ("", "# ", "- "):
        block = "heading" if begin == "# " else "paragraph"
        expected = types(f"{begin}word") | {"text_special"}
        assert types(begin + plain(text)) <= expected, block


@pytest.mark.parametrize("text", TEXTS)
def test_a_terminal_shows_texts_without_escapes(text: str) -> None:
    line = " ".join(one_line(" ".join(text.splitlines())).split())
    shown = readable(f"**{plain(text)}** and {code('`' + text)} and {plain(text)}")
    assert " ".join(shown.split()).startswith(f"**{line}**")
    assert " ".join(shown.split()).endswith(line)
    # A code span is written as it is, and so is what stands in a block.
    assert readable(code(text)) == code(text) or not code(text).startswith("`")
    assert readable(shell(text)) == shell(text)


def test_a_command_ends_its_block() -> None:
    made = shell("mtl train x --set 'a=\n```\n<b>\n````'")
    [fence] = tokens(made)
    assert (fence.type, fence.content.count("\n")) == ("fence", 4)


@pytest.mark.parametrize("text", TEXTS)
def test_the_card_shows_labels_as_they_are(text: str, run_config: RunConfigFactory) -> None:
    config = run_config()
    labels = {"intent": (text, "other"), "slots": ()}
    plainly = {"intent": ("x", "other"), "slots": ()}
    rows = {"intent": {"corpus": {"train": 60, "dev": 24}}, "slots": {"corpus": {"train": 60}}}
    dev = {f"intent {text}": 0.5, "end": 0.5}
    card = render_card(CardFacts(config, labels, rows, "fp32", dev=dev, test=None))
    usual = render_card(
        CardFacts(config, plainly, rows, "fp32", dev={"intent x": 0.5, "end": 0.5}, test=None)
    )
    assert card == printable(card)
    assert not {"html_inline", "html_block", "link_open", "image"} & types(card)
    kinds = [token.type for token in tokens(card) if "inline" not in token.type]
    of_text = {"text", "entity", "text_special"}
    assert [k for k in kinds if k not in of_text] == [
        t.type for t in tokens(usual) if "inline" not in t.type and t.type not in of_text
    ]


def test_the_front_matter_of_a_card_is_yaml(run_config: RunConfigFactory) -> None:
    config = run_config()
    evil = 'x]\n---\n"<b>'
    task = Trusted(kind=f"a:{evil}", dataset="corpus", column="intent")
    changed = config.model_copy(update={"tasks": {"intent": task}})
    facts = CardFacts(changed, {"intent": ()}, {"intent": {}}, "fp32", dev={}, test=None)
    card = render_card(facts)
    front = YAML(typ="safe").load(card.split("---\n")[1])
    assert front == {
        "library_name": "mtl",
        "pipeline_tag": "text-classification",
        "tags": ["multi-task", "x--------b-", "sentence-transformers"],
    }
    assert not {"html_inline", "html_block", "link_open", "image"} & types(card)


@pytest.mark.parametrize("text", TEXTS)
def test_the_report_shows_parameters_and_errors_as_they_are(text: str) -> None:
    parameters = {text or "x": text, "kind": "a"}
    records = [
        replace(RECORDS[0], parameters=parameters),
        replace(RECORDS[2], error=text, parameters=parameters),
    ]
    best = replace(BEST, parameters=parameters)
    summary = replace(
        SUMMARY,
        records=records,
        result=replace(SUMMARY.result, best=best),
        replay=f"mtl train '{text}'",
        folder=f"runs/{text}",
        importances=[Importance(text, {text: Share(1.0, 1.0, 1.0)})],
    )  # fmt: skip
    report = render_report(summary)
    assert report == printable(report)
    assert not {"html_inline", "html_block", "link_open", "image"} & types(report)
    headings = [t.content for t in tokens(report) if t.type == "inline" and t.level == 1]
    assert "How to go on" in headings
    assert sum(token.type == "fence" for token in tokens(report)) == 2
    rows = [line for line in report.split("\n") if line.startswith("|")]
    shown = [line for line in rows if not line.startswith("| ---")]
    assert sum(token.type == "tr_open" for token in tokens(report)) == len(shown)
