"""Files with labels of words as people have them: CoNLL of all kinds, and exports of spans."""

import json
from collections.abc import Sequence
from pathlib import Path

from files_of_strangers import conll_text, csv_with_an_empty_text, journeys, json_lines, write


def conll_columns(folder: Path) -> list[Path]:
    return [write(folder / "people.conll", conll_text(journeys()))]


def conll_2003(folder: Path) -> list[Path]:
    def rows(sentence: Sequence[tuple[str, str]]) -> list[tuple[str, str, str, str]]:
        return [
            (word, "NNP" if tag != "O" else "VB", "I-NP" if tag != "O" else "O",
             tag.replace("B-", "I-"))
            for word, tag in sentence
        ]  # fmt: skip

    for suffix, count in (("train", 40), ("testa", 12), ("testb", 12)):
        text = "-DOCSTART- -X- -X- O\n\n" + conll_text([rows(s) for s in journeys(count)])
        write(folder / f"eng.{suffix}", text)
    return sorted(folder.glob("eng.*"))


def conll_with_intents(folder: Path) -> list[Path]:
    for split, count in (("train", 40), ("dev", 12), ("test", 12)):
        blocks = [
            f"# id = {number}\n# intent = {'go' if number % 2 else 'move'}\n"
            + conll_text([[(str(i), *row) for i, row in enumerate(sentence, start=1)]], "\t")
            for number, sentence in enumerate(journeys(count))
        ]
        write(folder / f"en.{split}.conll", "\n".join(blocks))
    return sorted(folder.glob("en.*"))


def conll_bilou(folder: Path) -> list[Path]:
    def last(sentence: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        tags = [tag for _, tag in sentence]
        ends = [
            tag != "O" and (after == "O" or after.startswith("B"))
            for tag, after in zip(tags, [*tags[1:], "O"], strict=True)
        ]
        letters = {("B", True): "U", ("B", False): "B", ("I", True): "L", ("I", False): "I"}
        return [
            (word, tag if tag == "O" else letters[tag[0], is_last] + tag[1:])
            for (word, tag), is_last in zip(sentence, ends, strict=True)
        ]

    return [write(folder / "people.bilou", conll_text([last(s) for s in journeys()], "\t"))]


def bare_tags(folder: Path) -> list[Path]:
    rows = [[(word, tag[0]) for word, tag in sentence] for sentence in journeys()]
    return [write(folder / "terms.txt", conll_text(rows))]


def types_alone(folder: Path) -> list[Path]:
    rows = [[(word, tag.split("-")[-1]) for word, tag in sentence] for sentence in journeys()]
    return [write(folder / "europarl.txt", conll_text(rows))]


def parts_of_speech(folder: Path) -> list[Path]:
    kinds = {"O": "VERB", "B-PER": "PROPN", "B-LOC": "PROPN", "I-LOC": "NOUN"}
    rows = [[(word, kinds[tag]) for word, tag in sentence] for sentence in journeys()]
    return [write(folder / "pos.txt", conll_text(rows, "\t"))]


def conll_u(folder: Path) -> list[Path]:
    kinds = {"O": "VERB", "B-PER": "PROPN", "B-LOC": "PROPN", "I-LOC": "NOUN"}
    for split, count in (("train", 40), ("dev", 12), ("test", 12)):
        blocks = []
        for number, sentence in enumerate(journeys(count)):
            lines = [
                f"{i}\t{word}\t{word.lower()}\t{kinds[tag]}\t{kinds[tag][:2]}\t_\t0\troot\t_\t_"
                for i, (word, tag) in enumerate(sentence, start=1)
            ]
            blocks.append("\n".join([f"# sent_id = {number}", *lines]))
        write(folder / f"xx_own-ud-{split}.conllu", "\n\n".join(blocks) + "\n\n")
    return sorted(folder.glob("*.conllu"))


def spans(sentence: Sequence[tuple[str, str]]) -> tuple[str, list[tuple[int, int, str]]]:
    """The text of a sentence, and its spans in characters."""
    text, found = "", []
    for word, tag in sentence:
        start = len(text)
        text += word + " "
        if tag[0] == "B":
            found.append((start, start + len(word), tag[2:]))
        elif tag[0] == "I":
            found[-1] = (found[-1][0], start + len(word), tag[2:])
    return text.strip(), found


def spans_as_objects(folder: Path) -> list[Path]:
    rows = [
        {"data": {"utterance": text}, "mood": ("a", "b")[number % 2],
         "slots": [{"value": {"begin": a, "stop": b}, "type": kind} for a, b, kind in found]}
        for number, (text, found) in enumerate(map(spans, journeys()))
    ]  # fmt: skip
    return [write(folder / "slots.json", json.dumps(rows))]


def spans_of_doccano(folder: Path) -> list[Path]:
    rows = [
        {"id": number, "text": text, "label": [list(span) for span in found]}
        for number, (text, found) in enumerate(map(spans, journeys()))
    ]
    return [write(folder / "admin.jsonl", json_lines(rows))]


def spans_of_label_studio(folder: Path) -> list[Path]:
    rows = [
        {"id": number, "data": {"text": text}, "annotations": [{"id": 1, "result": [
            {"value": {"start": a, "end": b, "text": text[a:b], "labels": [kind]}, "id": f"r{a}",
             "from_name": "label", "to_name": "text", "type": "labels"} for a, b, kind in found]}]}
        for number, (text, found) in enumerate(map(spans, journeys()))
    ]  # fmt: skip
    return [write(folder / "project.json", json.dumps(rows))]


def spans_of_spacy(folder: Path) -> list[Path]:
    rows = [
        [text, {"entities": [list(span) for span in found]}]
        for text, found in map(spans, journeys())
    ]
    return [write(folder / "spacy.json", json.dumps(rows))]


def two_files(folder: Path) -> list[Path]:
    return [*csv_with_an_empty_text(folder), *conll_columns(folder)]
