"""Running text cut so that its words look as those of tokenised training data."""

from collections import Counter

import pytest

from mtl_core.data.words import Cut
from mtl_core.data.words_like import words_like

NEWS = (
    "EU officials in Leeds said on Monday that U.N. and U.S. officials ( well-known ) left . "
    "It 's Germany 's 1,000 officials , who met Mr. O'Brien at 7:30 . "
    '" Leeds is well , " said St. John ... '
    "We met Mr. Smith in Leeds , St. Ives and Hull . The U.S. said no . Leeds. "
)
TWEETS = "@anna #rome is nice ! RT @bob : #oslo , too . @eve , #rome . ok - no & yes ( and so ) ; "


def words(cut: Cut, text: str) -> list[str]:
    return [text[start:end] for start, end in cut.places(text)]


def like(text: str) -> Cut:
    return words_like(Counter(text.split(" ")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He lives in Leeds.", "He lives in Leeds ."),
        ("Hull, Leeds; (Rome)!", "Hull , Leeds ; ( Rome ) !"),
        ("The U.S. and the U.N. left.", "The U.S. and the U.N. left ."),
        ("St. John's U.S.", "St. John 's U.S."),
        ("The N.A.T.O., e.g. 1.5.", "The N.A.T.O. , e.g. 1.5 ."),
        ("Germany's, Germany\u2019s", "Germany 's , Germany \u2019s"),
        ("O'Brien's well-known 2,500", "O'Brien 's well-known 2,500"),
        ('"Leeds..."', '" Leeds ... "'),
        ("Leeds(Rome)", "Leeds ( Rome )"),
        # What training shows nothing of does not cut inside a word, and does at its end.
        ("and/or \u00a320*", "and/or \u00a320 *"),
    ],
)
def test_punctuation_is_cut_where_training_has_it_apart(text: str, expected: str) -> None:
    assert words(like(NEWS), text) == expected.split(" ")


def test_tokenised_text_stays_as_it_is() -> None:
    for text in (NEWS, "The F.B.I. met Bros. there .", "ok ?! --- :-) no", TWEETS):
        cut = like(NEWS + TWEETS)
        assert words(cut, text.strip()) == text.split()


def test_marks_that_begin_words_of_training_stay_with_them() -> None:
    cut = like(TWEETS * 3)
    assert words(cut, "#paris, by @carl.") == ["#paris", ",", "by", "@carl", "."]


def test_words_with_marks_at_them_mean_that_white_space_cut_training() -> None:
    cut = like("play a.m. radio, it's late. wake me at 7 p.m. please! Star Wars: now, ok? r&b , ")
    assert cut.words == "whitespace"
    text = "play Star Wars: it's a.m. radio."
    assert words(cut, text) == text.split()


def test_training_without_any_marks_cuts_them_off() -> None:
    cut = like("flights from boston to denver on monday")
    assert words(cut, "flights to Boston, o'hare?") == [
        "flights",
        "to",
        "Boston",
        ",",
        "o'hare",
        "?",
    ]


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        (
            "\u5f20\u4f1f\u4f4f\u5728\u5317\u4eac\u3002",
            "\u674e\u7ea2\u53bb\u897f\u5b89\u30022024\u5e74 ok",
        ),
        (
            "\u79c1\u306f\u30c8\u30e8\u30bf\u3067\u50cd\u304f\u3002",
            "\u30bd\u30cb\u30fc\u306e\u4eba\u3002",
        ),
    ],
)
def test_words_of_one_character_cut_all_text_so(sentence: str, text: str) -> None:
    cut = words_like(Counter(sentence))
    assert cut == Cut("characters")
    assert words(cut, text) == [letter for letter in text if letter != " "]


def test_single_letters_of_other_scripts_are_no_rule() -> None:
    assert words(like("a b c a b"), "hello you") == ["hello", "you"]


def test_text_without_spaces_is_cut_into_the_longest_words_of_training() -> None:
    chinese = "\u4eca\u5929 \u4f1a \u4e0b\u96e8 \u5417 \uff1f \u6211 \u5728 \u5317\u4eac \u3002"
    cut = like(chinese)
    assert words(cut, "\u6211\u4eca\u5929\u5728\u5317\u4eac\u3002") == [
        "\u6211", "\u4eca\u5929", "\u5728", "\u5317\u4eac", "\u3002"
    ]  # fmt: skip
    # What is no word of training falls into its characters.
    assert words(cut, "\u4e0a\u6d77\u4e0b\u96e8") == ["\u4e0a", "\u6d77", "\u4e0b\u96e8"]
    thai = "\u0e09\u0e31\u0e19 \u0e2d\u0e22\u0e39\u0e48 \u0e17\u0e35\u0e48"
    assert words(like(thai), thai.replace(" ", "")) == thai.split()


def test_white_space_inside_words_of_training_does_not_cut() -> None:
    cut = words_like(Counter(["10\u00a0000", "euros", ".", "a"]))
    assert words(cut, "10\u00a0000 euros. a\u2003b") == ["10\u00a0000", "euros", ".", "a", "b"]
    # Plain spaces part the words of a text, whatever stands in a column of words.
    assert words(words_like(Counter(["New York", "is", ""])), "New York is") == [
        "New",
        "York",
        "is",
    ]


def test_endless_text_without_spaces_takes_no_time() -> None:
    cut = like("\u4eca\u5929 \u4f1a \u4e0b\u96e8")
    assert len(cut.places("\u4eca\u5929\u4f1a" * 2_000)) == 4_000
