"""The `sample` corpus: its size, its splits and what makes it hard, checked on the sentences."""

import hashlib
import json
import statistics
from collections import Counter

import pytest
from seqeval.metrics.sequence_labeling import get_entities

from mtl_core.data.example import Example
from mtl_core.data.formats.sample import generate_sample

Corpus = dict[str, list[Example]]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return generate_sample()


def mentions(examples: list[Example]) -> list[tuple[str, str]]:
    """Returns (slot, value) of every tagged value."""
    return [
        (slot, " ".join(example.words[first : last + 1]))
        for example in examples
        for slot, first, last in get_entities(list(example.labels.get("slots", ())))
    ]


def unseen_share(corpus: Corpus, split: str) -> float:
    """Returns the share of a split's tagged values that are never tagged so in train."""
    known = set(mentions(corpus["train"]))
    found = mentions(corpus[split])
    return sum(mention not in known for mention in found) / len(found)


def test_corpus_has_the_stated_size(corpus: Corpus) -> None:
    assert {split: len(rows) for split, rows in corpus.items()} == {
        "train": 2000,
        "dev": 300,
        "test": 500,
    }
    assert len({example.labels.get("intent") for example in corpus["test"]}) == 12
    assert len({slot for slot, _ in mentions(corpus["test"])}) == 15


def test_train_shows_every_label_of_the_other_splits(corpus: Corpus) -> None:
    def labels(split: str) -> set[object]:
        rows = [example.labels for example in corpus[split]]
        return {row.get("intent") for row in rows} | {
            t for row in rows for t in row.get("slots", ())
        }

    assert labels("dev") | labels("test") <= labels("train")


def test_same_seed_gives_the_same_corpus_on_every_machine(corpus: Corpus) -> None:
    # A digest, because two calls in one process cannot show a dependence on PYTHONHASHSEED.
    rows = [
        [split, row.words, sorted(row.labels.items())] for split in corpus for row in corpus[split]
    ]
    assert hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16] == "1ab2dcdf2957fc82"


def test_another_seed_gives_other_sentences(corpus: Corpus) -> None:
    other = {example.words for example in generate_sample(seed=1)["train"]}
    same = sum(example.words in other for example in corpus["train"])
    assert same < 0.1 * len(other)


def test_no_sentence_stands_twice(corpus: Corpus) -> None:
    sentences = Counter(example.words for rows in corpus.values() for example in rows)
    assert max(sentences.values()) == 1


def test_sentences_are_short_plain_words(corpus: Corpus) -> None:
    sentences = [example.words for rows in corpus.values() for example in rows]
    lengths = [len(words) for words in sentences]
    assert 8 <= statistics.mean(lengths) <= 10
    assert max(lengths) <= 20
    assert all(word.isascii() and word.isalpha() for words in sentences for word in words)


def test_tags_are_strict_iob2_with_one_per_word(corpus: Corpus) -> None:
    for example in (row for rows in corpus.values() for row in rows if "slots" in row.labels):
        tags = example.labels["slots"]
        assert len(tags) == len(example.words)
        for previous, tag in zip(("O", *tags), tags, strict=False):
            assert not tag.startswith("I-") or previous in {f"B-{tag[2:]}", tag}


def test_values_of_several_words_are_tagged_whole(corpus: Corpus) -> None:
    found = set(mentions(corpus["test"]))
    assert {("destination", "new york"), ("date", "this weekend")} <= found
    assert not {("destination", "new"), ("destination", "york"), ("date", "weekend")} & found


def test_dev_and_still_more_test_hold_values_that_train_never_shows(corpus: Corpus) -> None:
    assert 0.05 < unseen_share(corpus, "dev") < unseen_share(corpus, "test") < 0.4


def test_words_are_shared_between_slots(corpus: Corpus) -> None:
    found = set(mentions(corpus["train"]))
    values = Counter(value for _, value in found)
    # More than the cities, which are origins and destinations by nature.
    assert sum(count > 1 for value, count in values.items() if ("city", value) not in found) > 20


def test_only_train_has_wrong_intents_about_three_in_a_hundred(corpus: Corpus) -> None:
    # These slots betray the frame, so that a wrong intent shows.
    frames = {
        "cuisine": {"book_restaurant"},
        "origin": {"book_travel", "get_directions"},
        "destination": {"book_travel", "get_directions"},
        "track": {"play_music", "add_to_playlist", "set_alarm", "set_reminder"},
    }
    wrong_share = {}
    for split, rows in corpus.items():
        wrong = [
            row.labels["intent"] not in frames[slot]
            for row in rows
            if "intent" in row.labels
            for slot in {slot for slot, _ in mentions([row])} & set(frames)
        ]
        wrong_share[split] = statistics.mean(wrong)
    assert wrong_share["train"] == pytest.approx(0.03, abs=0.015)
    assert wrong_share["dev"] == wrong_share["test"] == 0


def test_only_train_lacks_labels_one_of_two_in_five_rows_of_a_hundred(corpus: Corpus) -> None:
    columns = {
        split: Counter(map(frozenset, (r.labels for r in corpus[split]))) for split in corpus
    }
    both, intent, slots = (
        frozenset({"intent", "slots"}),
        frozenset({"intent"}),
        frozenset({"slots"}),
    )
    assert columns["dev"] == {both: 300}
    assert columns["test"] == {both: 500}
    assert columns["train"][both] == 1900
    assert min(columns["train"][intent], columns["train"][slots]) > 30
