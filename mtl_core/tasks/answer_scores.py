"""Scores of answers to questions, as the script of SQuAD 2.0 has them."""

import re
import string
from collections import Counter
from collections.abc import Sequence


def exact_match(predicted: str, gold: Sequence[str]) -> float:
    """Returns 1 when the text is one of the answers after normalisation, else 0."""
    return float(normalise(predicted) in _normal_answers(gold))


def answer_f1(predicted: str, gold: Sequence[str]) -> float:
    """Returns the highest F1 of the words of the text and those of an answer."""
    return max(_word_f1(normalise(predicted), answer) for answer in _normal_answers(gold))


def _normal_answers(gold: Sequence[str]) -> set[str]:
    """Returns the answers of which something is left after normalisation; {""} without any."""
    return {text for answer in gold if (text := normalise(answer))} or {""}


def normalise(text: str) -> str:
    """Returns the text in lower case, without punctuation, articles and extra space."""
    kept = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    # Punctuation before articles, as in the script of SQuAD: "A-Team" becomes "ateam".
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def _word_f1(predicted: str, gold: str) -> float:
    guess, right = predicted.split(), gold.split()
    if not guess or not right:
        return float(guess == right)
    # 2PR / (P + R) with P = common / words of the guess and R = common / words of the answer.
    common = sum((Counter(guess) & Counter(right)).values())
    return 2 * common / (len(guess) + len(right))
