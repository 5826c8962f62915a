"""What is to be written: masks of hand-worked rows, chat templates, rows that are too long."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from letter_tokenizers import BEGIN, CHAT, framed, letters, spaced, spelt
from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

from mtl_core.data.arrow_files import open_split, write_split
from mtl_core.data.columns.label_names import NoLabels
from mtl_core.data.columns.target import TargetColumn
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.example import Example
from mtl_core.data.layouts.pieces import PieceIds
from mtl_core.data.layouts.prompts import Prompt
from mtl_core.data.layouts.targets import Targets
from mtl_core.data.messages import Message
from mtl_core.errors import DataError
from mtl_core.model.backbones.tokenizer import load_tokenizer

COLUMN = TargetColumn("reply", "target")
TURNS = (
    Message("system", "Be brief."),
    Message("user", "a room ?"),
    Message("assistant", "for two ?"),
    Message("user", "yes"),
    Message("assistant", "done"),
)
LETTERS = letters()


def dialogue(turns: Sequence[Message] = TURNS) -> Example:
    words = " ".join(turn.text for turn in turns).split()
    replies = tuple(turn.text for turn in turns if turn.role == "assistant")
    return Example(tuple(words), {"target": replies}, messages=tuple(turns))


def text(source: str, target: str | None, **labels: str) -> Example:
    found = {"target": target} if target is not None else {}
    return Example(tuple(source.split()), {**found, **labels}, text=source)


def encode(
    examples: Sequence[Example],
    *,
    tokenizer: PreTrainedTokenizerFast = LETTERS,
    joint: bool = True,
    length: int = 20,
    most: int = 300,
    predicts: bool = False,
    **prompt: Any,
) -> EncodedSplit:
    layout = Targets(joint, Prompt(**prompt), length)
    columns = [] if predicts else [COLUMN]
    names = {"reply": NoLabels()}
    split = layout.encode(examples, tokenizer, columns, names, max_length=most)
    assert split.token_ids.lengths().max() <= most
    for row in range(len(split)) if joint and not predicts else ():
        ids, labels = split.token_ids.row(row), split.labels["reply"].row(row)  # type: ignore[union-attr]
        assert (ids[labels >= 0] == labels[labels >= 0]).all()
        assert len(ids) == len(labels)
    return split


def rows(split: EncodedSplit, tokenizer: PreTrainedTokenizerFast = LETTERS) -> list[str]:
    return [spelt(tokenizer, split.token_ids.row(row)) for row in range(len(split))]


def labels(split: EncodedSplit, tokenizer: PreTrainedTokenizerFast = LETTERS) -> list[str]:
    values: Any = split.labels["reply"]
    return [spelt(tokenizer, values.row(row)) for row in range(len(split))]


def test_a_dialogue_is_one_row_in_which_every_reply_is_learnt() -> None:
    split = encode([dialogue()])
    parts = [
        ("Be brief.\nuser: a room ?\nassistant:", False),
        (" for two ?<end>", True),
        ("\nuser: yes\nassistant:", False),
        (" done<end>", True),
    ]
    assert rows(split) == ["".join(part for part, _ in parts)]
    assert labels(split) == ["".join(part if is_one else "_" * len(part) for part, is_one in parts)]
    assert split.source is not None
    assert split.source.answers == [("for two ?", "done")]
    assert split.num_scored("reply") == 2


def test_a_text_is_followed_by_what_is_written_on_the_next_line() -> None:
    split = encode([text("a long\n text", "short")], instruction="Sum up")
    assert rows(split) == ["Sum up\na long\n text\nshort<end>"]
    assert labels(split) == ["_" * len("Sum up\na long\n text\n") + "short<end>"]


def test_rows_without_a_target_are_read_and_teach_nothing() -> None:
    for joint in (True, False):
        split = encode([text("a", None), text("b", "c")], joint=joint, tokenizer=framed())
        assert split.num_labelled("reply") == 1
        assert split.gold("reply")[0].tolist() == []
        assert split.source is not None
        assert split.source.answers == [None, ("c",)]


def test_a_template_takes_columns_and_both_texts() -> None:
    one = Example(("a", "b"), {"target": "c", "to": "German"}, second="d", text="a  b")
    split = encode([one], template="{to}: {text}|{text_pair} {{}}\n")
    assert rows(split) == ["German: a  b|d {}\nc<end>"]
    assert rows(encode([one])) == ["a  b\nd\nc<end>"]


def test_a_chat_is_what_the_tokenizers_own_template_makes_of_it() -> None:
    split = encode([dialogue()], chat=True)
    messages = [{"role": role, "content": said} for role, said in TURNS]
    whole = LETTERS.apply_chat_template(messages, tokenize=True, return_dict=False)
    assert split.token_ids.row(0).tolist() == whole[:-1]  # without the line end behind the last
    spelt_out = labels(split)[0].strip("_")
    assert spelt_out.startswith("for two ?<|stop|>_")
    assert spelt_out.endswith("_done<|stop|>")


def test_a_template_can_be_a_turn_of_a_chat() -> None:
    split = encode([text("a", "b")], chat=True, template="Say {text}", instruction="Now")
    assert rows(split) == [
        "<|begin|>system\nNow<|stop|>\n<|begin|>user\nSay a<|stop|>\n<|begin|>assistant\nb<|stop|>"
    ]


@pytest.mark.parametrize("chat", [False, True])
@pytest.mark.parametrize("joint", [False, True])
def test_what_is_predicted_goes_on_where_training_did(joint: bool, chat: bool) -> None:
    tokenizer = LETTERS if joint else framed()
    options: dict[str, Any] = {"joint": joint, "chat": chat, "tokenizer": tokenizer}
    for example, past in [(text("a", "b"), text("a", None)), (dialogue(), dialogue(TURNS[:-1]))]:
        [*_, whole] = rows(encode([example], **options), tokenizer)
        [asked] = rows(encode([past], **options, predicts=True), tokenizer)
        target = labels(encode([example], **options), tokenizer)[-1].rpartition("_")[2]
        assert asked == (whole.removesuffix(target) if joint else whole)


def test_apart_each_reply_is_a_row_behind_its_past() -> None:
    tokenizer = framed()
    split = encode([dialogue(), text("a b", "c")], tokenizer=tokenizer, joint=False)
    assert rows(split, tokenizer) == [
        "<|begin|>Be brief.\nuser: a room ?\nassistant:<end>",
        "<|begin|>Be brief.\nuser: a room ?\nassistant: for two ?\nuser: yes\nassistant:<end>",
        "<|begin|>a b<end>",
    ]
    assert labels(split, tokenizer) == [" for two ?<end>", " done<end>", "c<end>"]
    assert split.source is not None
    assert split.source.of_row.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("joint", "expected"),
    [
        # Of the 20 sub-words 6 are left for what is written: 14 stand before it.
        (True, "Do\nqrstuvwxyz\ndone<end>"),
        (False, "<|begin|>Do\nlmnopqrstuvwxyz<end>"),
    ],
)
def test_what_is_too_long_loses_its_beginning_but_not_the_instruction(
    joint: bool, expected: str
) -> None:
    tokenizer = letters() if joint else framed()
    options: dict[str, Any] = {"joint": joint, "instruction": "Do", "tokenizer": tokenizer}
    examples = [text("abcdefghijklmnopqrstuvwxyz", "done"), text("a", "b")]
    split = encode(examples, length=6, most=20, **options)
    assert rows(split, tokenizer)[0] == expected
    layout = Targets(joint, Prompt(instruction="Do"), 6)
    lengths = layout.uncut_lengths(examples, tokenizer, split, max_length=20)
    whole = encode(examples, length=6, **options)
    assert lengths.tolist() == whole.token_ids.lengths().tolist()


@pytest.mark.parametrize("most", [40, 50, 75, 120, 400])
def test_a_long_dialogue_is_several_rows_that_learn_each_reply_once(most: int) -> None:
    turns = [Message("system", "Be."), *(
        Message(role, f"{role[0]}{number}" * (1 + number % 3))
        for number in range(12) for role in ("user", "assistant")
    )]  # fmt: skip
    split = encode([dialogue(turns)], length=12, most=most)
    learnt = "".join(labels(split)).replace("_", "")
    replies = [turn.text for turn in turns if turn.role == "assistant"]
    assert learnt == "".join(f" {reply}<end>" for reply in replies)
    [whole] = rows(encode([dialogue(turns)], length=12, most=9999))
    ends = []
    for row, is_learnt in zip(rows(split), labels(split), strict=True):
        assert row.startswith("Be.\n")
        body = row.removeprefix("Be.\n")
        assert body in whole
        ends.append(whole.index(body) + len(body))
        # What is written has its room, wherever in the row it begins.
        tokens = is_learnt.replace("<end>", "$")
        begins = [n for n in range(1, len(tokens)) if tokens[n - 1] == "_" != tokens[n]]
        assert all(begin + 12 <= most for begin in begins)
    layout = Targets(True, Prompt(), 12)
    lengths = layout.uncut_lengths([dialogue(turns)], LETTERS, split, max_length=most)
    # In letters; each end token is one sub-word.
    assert lengths.tolist() == [len(whole[:end].replace("<end>", "$")) for end in ends]


def test_a_text_that_is_too_long_to_be_written_is_cut_and_still_ends() -> None:
    assert labels(encode([text("a", "abcdefgh")], length=4)) == ["__abc<end>"]
    assert labels(encode([text("a", "abcdefgh")], length=4, chat=True))[0].endswith("_abc<|stop|>")
    options: dict[str, Any] = {"length": 4, "joint": False}
    assert labels(encode([text("a", "abcdefgh")], tokenizer=framed(), **options)) == ["abc<end>"]


def test_a_text_begins_with_the_begin_that_its_tokenizer_has_for_texts() -> None:
    tokenizer = framed()
    tokenizer.bos_token = BEGIN
    split = encode([text("a", "abcdefgh")], tokenizer=tokenizer, joint=False, length=4)
    assert labels(split) == ["<|begin|>ab<end>"]


def test_what_looks_like_a_special_token_is_text() -> None:
    split = encode([text("a<end>b", "<end>")])
    assert split.token_ids.lengths().tolist() == [len("a<end>b\n<end>") + 1]


def test_a_tokenizer_without_line_ends_has_the_end_token_in_their_place(tiny_encoder: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_encoder))
    split = encode([text("a b", "c")], tokenizer=tokenizer)
    assert rows(split, tokenizer) == ["[CLS]ab[SEP]c[SEP]"]
    assert labels(split, tokenizer) == ["____c[SEP]"]


@pytest.mark.parametrize("make", [letters, spaced])
def test_pieces_are_the_tokens_that_transformers_makes_of_the_whole(
    make: Callable[[], PreTrainedTokenizerFast], tmp_path: Path
) -> None:
    whole = "user: a  room\nassistant:"
    tokenizer = make()
    model = GPT2Config(vocab_size=300, n_embd=4, n_layer=1, n_head=1)
    GPT2Model(model).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    # As it is, and as a run loads it, which reads words with it.
    for one in (tokenizer, load_tokenizer(str(tmp_path))):
        pieces = PieceIds(one)
        assert pieces.of([whole])[0] == ids
        parts = pieces.of(["user:"])[0] + pieces.of([" a  room\n", "assistant:"], is_first=False)[0]
        assert ids[: len(parts)] == parts


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 50, "most": 50}, "target_length: 50 sub-words to write leave no room for a "
         r"prompt in rows of 50 \(run.encoder.max_length\)"),
        ({"instruction": "x" * 50, "most": 60},
         "instruction: its 61 sub-words and target_length 20 leave no room for a text"),
        ({"tokenizer": letters(end=None)}, r"has no token that ends a text \(eos_token\)"),
        ({"tokenizer": letters(chat=None), "chat": True},
         "row 1: chat: the encoder's tokenizer has no chat template; `chat: false` writes"),
        ({"tokenizer": letters(chat=CHAT.replace("<|stop|>", "")), "chat": True},
         "chat: the tokenizer's template ends replies with no token of its own"),
        ({"tokenizer": letters(chat="{{ raise_exception('only\ntwo turns') }}"), "chat": True},
         r"row 1: chat: the tokenizer's template refuses a dialogue: only\\ntwo turns; `chat: fa"),
        ({"tokenizer": letters(chat="{{ messages | length }}" + CHAT), "chat": True},
         "row 1: chat: the tokenizer's template writes turns anew when others follow"),
        ({"template": "{text}"}, "row 1: prompt: rows that are dialogues take no template"),
    ],
)  # fmt: skip
def test_what_cannot_be_encoded_is_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        encode([dialogue()], **options)


def test_each_row_knows_which_replies_are_its_own_also_on_disk_and_in_a_sample(
    tmp_path: Path,
) -> None:
    turns = [
        Message(role, f"{role[0]}{number}") for number in range(9) for role in ("user", "assistant")
    ]
    split = encode([text("a", "b"), dialogue(turns), text("c", None)], length=8, most=60)
    write_split(tmp_path, "dev", split)
    opened = open_split(tmp_path, "dev", [COLUMN])
    for one in (split, opened, opened.take(np.array([1, 2]))):
        assert one.source is not None
        answers = one.source.answers_of_rows()
        learnt = [row.strip("_").split("<end>")[:-1] for row in labels(one)]
        assert [list(row) for row in answers] == [
            [reply.lstrip("_ ") for reply in row] for row in learnt
        ]
        assert max(map(len, answers)) > 1
