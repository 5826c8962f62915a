"""Decoding sections: what they refuse, and what they ask Transformers for."""

from typing import get_args

import pytest
from transformers import GenerationConfig

from mtl_core.errors import ConfigError
from mtl_core.section import Section
from mtl_core.tasks.decoding.base import Decoding
from mtl_core.tasks.decoding.beam import Beam
from mtl_core.tasks.decoding.generate import Generate, Writing
from mtl_core.tasks.decoding.greedy import Greedy
from mtl_core.tasks.decoding.kinds import DecodingSection
from mtl_core.tasks.decoding.sample import Sample
from mtl_core.validation import validate_data

ROWS: dict[str, dict[str, object]] = {
    "greedy": {"max_new_tokens": 7, "min_new_tokens": 2, "no_repeat_ngram": 3, "stop": ["\n"]},
    "beam": {"beams": 3, "length_penalty": 0.5, "repetition_penalty": 1.2},
    "sample": {"temperature": 0.7, "top_k": 5, "top_p": 0.9, "min_p": 0.05},
}


class Holder(Section):
    """A section with a decoding below it, as a task has one."""

    decoding: DecodingSection = Greedy()


def read(**settings: object) -> Decoding:
    holder: Holder = validate_data({"decoding": settings}, Holder, where="study")
    return holder.decoding


def test_the_rows_walk_over_the_union() -> None:
    sections = [get_args(arm)[0] for arm in get_args(get_args(DecodingSection)[0])]
    assert [section.model_fields["kind"].default for section in sections] == list(ROWS)


@pytest.mark.parametrize("kind", ROWS)
def test_a_kind_is_read_and_written_as_it_stands(kind: str) -> None:
    section = read(kind=kind, **ROWS[kind])
    assert section.kind == kind
    assert section.model_dump(mode="json", exclude_unset=True) == {"kind": kind, **ROWS[kind]}


@pytest.mark.parametrize("kind", ROWS)
def test_transformers_takes_the_settings_of_a_kind(kind: str) -> None:
    settings = read(kind=kind, **ROWS[kind]).settings(most=50)
    config = GenerationConfig(**settings)
    config.validate(strict=True)
    assert settings.items() <= config.to_dict().items()
    mode = "beam_search" if kind == "beam" else "greedy_search"  # Sampling is drawn by us.
    assert config.get_generation_mode().value == mode


def test_without_a_kind_it_is_greedy() -> None:
    assert read(max_new_tokens=5) == Greedy(max_new_tokens=5)


def test_no_more_is_written_than_the_model_has_room_for() -> None:
    settings = Greedy(max_new_tokens=30, min_new_tokens=20).settings(most=8)
    assert (settings["max_new_tokens"], settings["min_new_tokens"]) == (8, 8)


@pytest.mark.parametrize("name", ["contrastive", "group_beams"])
def test_what_transformers_runs_from_the_hub_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(
        ConfigError,
        match=r"^study: decoding\.kind: .*search.*: Transformers has it as code on the hub alone.*"
        r"allowed: beam, greedy, sample$",
    ):
        read(kind=name)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "bean"}, r"decoding\.kind: unknown kind 'bean'; .*Did you mean 'beam'\?"),
        ({"kind": "greedy", "beams": 2}, r"unknown key 'decoding\.beams'"),
        ({"kind": "beam", "beams": 1}, r"decoding\.beams: expected .*2"),
        ({"kind": "sample", "temperature": 0}, r"decoding\.temperature"),
        ({"stop": [""]}, r"decoding\.stop"),
        (
            {"min_new_tokens": 9, "max_new_tokens": 4},
            r"decoding\.min_new_tokens: expected at most max_new_tokens \(4\), found 9$",
        ),
    ],
)
def test_what_is_wrong_is_told_in_a_line(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(**settings)
    assert "\n" not in str(caught.value)


def test_a_text_ends_before_the_first_of_the_strings_that_end_it() -> None:
    decoding = Beam(stop=("USER:", "\n"))
    assert decoding.cut("Yes, at nine.\nUSER: thanks") == "Yes, at nine."
    assert decoding.cut("Yes, at nine.") == "Yes, at nine."


def test_only_sampling_changes_scores_and_in_the_order_of_generate() -> None:
    assert [Greedy().warpers(), Beam().warpers(), Sample().warpers()] == [[], [], []]
    names = [type(one).__name__ for one in read(kind="sample", **ROWS["sample"]).warpers()]
    assert names == [f"{name}LogitsWarper" for name in ("Temperature", "TopK", "TopP", "MinP")]


def test_texts_are_written_for_the_first_report_every_so_often_and_last() -> None:
    writing = Writing(Greedy(), Generate(rows=5, every=3))
    found = [writing.for_report(n, is_last=n == 8).examples for n in range(1, 9)]
    assert found == [5, 0, 0, 5, 0, 0, 5, 5]


def test_elsewhere_texts_are_written_for_all_examples() -> None:
    assert Writing(Greedy(), Generate(rows=5)).examples is None
