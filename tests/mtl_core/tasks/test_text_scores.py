from typing import get_args

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from mtl_core.tasks.text_scores import TextScore, score_texts, score_tokens, score_writing

GOLD = ["the cat sat on the mat .", "a dog ran home after dark .", "Warsaw is the capital"]
WRITTEN = ["the cat sat on a mat .", "the dog went home after dark", "warsaw is the capital"]
TEXT_SCORES = tuple(name for name in get_args(TextScore) if name != "token_accuracy")
ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


@pytest.mark.parametrize("name", TEXT_SCORES)
def test_a_score_of_texts_goes_from_0_to_1(name: str) -> None:
    assert score_texts([name], GOLD, GOLD)[name] == pytest.approx(1)
    assert score_texts([name], ["zzz"] * 3, GOLD)[name] == pytest.approx(0, abs=0.01)
    assert 0 <= score_texts([name], ["", "a", ""], GOLD)[name] < 0.2
    assert np.isnan(score_texts([name], [], [])[name])


def test_bleu_and_chrf_are_those_of_sacrebleu_over_the_corpus() -> None:
    found = score_texts(["bleu", "chrf"], WRITTEN, GOLD)
    assert found["bleu"] == pytest.approx(sacrebleu.corpus_bleu(WRITTEN, [GOLD]).score / 100)
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(WRITTEN, [GOLD]).score / 100)


@pytest.mark.parametrize(("name", "kind"), ROUGE.items())
def test_rouge_is_that_of_rouge_score(name: str, kind: str) -> None:
    pairs = zip(GOLD, WRITTEN, strict=True)
    expected = [RougeScorer([kind]).score(*pair)[kind].fmeasure for pair in pairs]
    assert score_texts([name], WRITTEN, GOLD)[name] == pytest.approx(np.mean(expected))


def test_rouge_of_a_hand_worked_case() -> None:
    # 5 of 6 words are shared on both sides, 3 of 5 pairs of words, and 5 words in their order.
    found = score_texts(tuple(ROUGE), ["the cat sat on a mat"], ["the cat sat on the mat"])
    assert found == {
        "rouge_1": pytest.approx(5 / 6),
        "rouge_2": pytest.approx(3 / 5),
        "rouge_l": pytest.approx(5 / 6),
    }


def test_rouge_counts_words_of_every_script() -> None:
    assert score_texts(["rouge_1"], ["мы идём домой"], ["мы идём домой"])["rouge_1"] == 1
    # "não" is one word, and not "n" and "o".
    assert score_texts(["rouge_1"], ["não sei"], ["nao sei"])["rouge_1"] == pytest.approx(1 / 2)


def test_an_exact_match_may_differ_in_white_space_alone() -> None:
    found = score_texts(["exact_match"], ["a  b ", "a b", "ab", "A b"], ["a b"] * 4)
    assert found["exact_match"] == 0.5


def test_tokens_are_scored_over_the_split_and_not_row_by_row() -> None:
    rows = [np.array([2.0, 1, 4]), np.array([4.0, 2, 2])]
    assert score_tokens(rows) == {"token_accuracy": 0.5, "perplexity": pytest.approx(np.e)}
    assert np.isnan(list(score_tokens([]).values())).all()
    assert np.isnan(list(score_tokens([np.zeros(3)]).values())).all()
    assert np.isfinite(score_tokens([np.array([9000.0, 0, 1])])["perplexity"])


def test_the_first_score_that_is_asked_for_comes_first() -> None:
    rows = [np.array([1.0, 1, 2])]
    found = score_writing(["rouge_l", "bleu"], WRITTEN, GOLD, rows)
    assert list(found) == ["rouge_l", "bleu", "token_accuracy", "perplexity"]
    found = score_writing(["token_accuracy", "chrf"], [], [], rows)
    assert list(found) == ["token_accuracy", "chrf", "perplexity"]
    assert found["token_accuracy"] == 0.5
    assert np.isnan(found["chrf"])


def test_texts_without_a_right_one_are_refused() -> None:
    with pytest.raises(ValueError, match="2 texts were written for 1 right ones"):
        score_texts(["bleu"], ["a", "b"], ["a"])
