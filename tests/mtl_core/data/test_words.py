"""The cut of texts into words, against the pre-tokenizers of `tokenizers`, and its properties."""

import json
import random
import unicodedata

import pytest
from tokenizers import normalizers, pre_tokenizers

from mtl_core.data.words import Cut, Joins, Words

ALPHABETS = {
    "latin": "abcXYZ \t\u00e9\u00df.,;'\u2019\"()-_$%&/0123\u00a0",
    "accents": "ae\u0301\u0308\u0327n\u0303 .,",
    "hebrew": "\u05e9\u05dc\u05d5\u05dd \u05be.!1\u200f\u200e",
    "arabic": "\u0645\u0631\u062d\u0628\u0627\u064b\u060c\u061f 1.",
    "chinese": "\u6211\u4f4f\u5317\u4eac\u3002\uff0c\u201c\u201d ab1",
    "japanese": "\u6771\u4eac\u306b\u30c8\u30e8\u30bf\u30fc\u3002 a",
    "thai": "\u0e2a\u0e27\u0e31\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a .a",
    "hindi": "\u0939\u093f\u0928\u094d\u0926\u0940 \u0964,",
    "emoji": "\U0001f468\u200d\U0001f469\U0001f467\U0001f44d\U0001f3fd\ufe0f #a!",
    "zero width": "ab\u200b\u200c\u200d\ufeff\u2060\u00ad .",
    "spaces": "ab\u2003\u2028\u3000\x85\x1f\u00a0 \r\n",
}
TEXTS = [
    "".join(draw.choice(letters) for _ in range(draw.randrange(24)))
    for number in range(40)
    for letters in ALPHABETS.values()
    for draw in [random.Random(f"{number} {letters}")]
]
JOINS = Joins(
    parting=",()\u3002", before="#", after="%", spaces="\u00a0", whole=frozenset({"a.", "'s"})
)
CUTS = [Cut(), Cut("punctuation"), Cut("characters"), Cut("punctuation", JOINS)]


@pytest.mark.parametrize("cut", CUTS, ids=["whitespace", "punctuation", "characters", "joins"])
def test_words_stand_in_their_text_and_take_all_of_it_but_white_space(cut: Cut) -> None:
    for text in TEXTS:
        places = cut.places(text)
        ends = [0, *(end for _, end in places)]
        for (start, end), before in zip(places, ends, strict=False):
            assert before <= start < end <= len(text)
            assert text[before:start].strip() == ""
        assert text[ends[-1] :].strip() == ""
        words = [text[start:end] for start, end in places]
        kept = cut.joins.spaces if cut.joins else ""
        assert not any(letter.isspace() and letter not in kept for word in words for letter in word)


def test_punctuation_cuts_as_the_tokenizer_of_bert_does() -> None:
    spaced = normalizers.BertNormalizer(
        clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    bert = pre_tokenizers.BertPreTokenizer()
    compared = 0
    # U+001F is white space for Python alone.
    for text in (text.replace("\x1f", "") for text in TEXTS):
        # Kana and Thai are cut here and not there.
        if not any(unicodedata.name(c, "").startswith(("KATA", "HIRA", "THAI")) for c in text):
            expected = [word for word, _ in bert.pre_tokenize_str(spaced.normalize_str(text))]
            assert [text[slice(*place)] for place in Cut("punctuation").places(text)] == expected
            compared += bool(expected)
    assert compared > 200


def test_white_space_cuts_as_python_does() -> None:
    for text in TEXTS:
        assert [text[slice(*place)] for place in Cut().places(text)] == text.split()


@pytest.mark.parametrize(
    ("words", "text", "expected"),
    [
        ("punctuation", "Leeds.", "Leeds|."),
        ("punctuation", "it's a.m.", "it|'|s|a|.|m|."),
        ("punctuation", "\u5317\u4eacLeeds\u3002", "\u5317|\u4eac|Leeds|\u3002"),
        ("punctuation", "\u30c8\u30e8\u30bf\u306f", "\u30c8|\u30e8|\u30bf|\u306f"),
        # A letter of Thai with the signs that stand on it.
        ("punctuation", "\u0e14\u0e35\u0e04", "\u0e14\u0e35|\u0e04"),
        ("punctuation", "e\u0301te\u0301!", "e\u0301te\u0301|!"),
        ("punctuation", "a\u200bb", "a\u200bb"),
        ("characters", "e\u0301te\u0301", "e\u0301|t|e\u0301"),
        ("characters", "\uc11c\uc6b8\uc5d0 7pm", "\uc11c|\uc6b8|\uc5d0|7|p|m"),
        ("characters", "\U0001f468\u200d\U0001f469!", "\U0001f468\u200d\U0001f469|!"),
        ("whitespace", "Leeds. \u00a0x", "Leeds.|x"),
    ],
)
def test_words(words: Words, text: str, expected: str) -> None:
    assert [text[slice(*place)] for place in Cut(words).places(text)] == expected.split("|")


def test_a_cut_is_kept_as_json() -> None:
    for cut in CUTS:
        assert Cut.from_json(json.loads(json.dumps(cut.to_json()))) == cut


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"words": "letters", "joins": None},
        {"words": "punctuation", "joins": {"whole": []}},
        {"words": "punctuation", "joins": "x"},
    ],
)
def test_a_cut_that_is_none_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises((KeyError, ValueError)):
        Cut.from_json(plain)


def test_a_task_on_several_data_sets_has_the_finest_of_their_cuts() -> None:
    assert Cut.merge([Cut(), Cut("punctuation", JOINS), Cut("punctuation")]).joins == JOINS
    assert Cut.merge([Cut("characters"), Cut("punctuation")]) == Cut("characters")
    assert Cut.merge([Cut()]) == Cut()
