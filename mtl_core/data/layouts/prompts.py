"""Prompts: what a model reads before it writes, made of a text or of the turns of a dialogue."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, NamedTuple

from mtl_core.data.example import Example
from mtl_core.data.messages import WRITES, Message
from mtl_core.errors import DataError
from mtl_core.printable import one_line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TEXT, PAIR = "text", "text_pair"
"""Names in templates that stand for the texts of a row, whatever their columns are called."""
_SYSTEM = "system"

Target = str | Sequence[str] | None
"""What is to be written: a text behind all else, or the replies of a dialogue; None = unknown."""


class Piece(NamedTuple):
    """A part of a row, as text.

    Attributes:
        text: The text.
        is_target: Whether it is to be written.
        is_kept: Whether it stays where a row is cut from the left, as an instruction does.
        ends: Whether the end token follows, with which a model says that it has written all.
    """

    text: str
    is_target: bool = False
    is_kept: bool = False
    ends: bool = False


class _Turn(NamedTuple):
    message: Message
    is_target: bool


@dataclass(frozen=True, slots=True)
class Prompt:
    """How a row looks to a model that writes.

    Plain, an instruction has a line of its own, the text follows, and what is to be written begins
    on the next line; turns of a dialogue are lines that begin with the role: `user: a room ?`.

    Attributes:
        template: The text with names of columns in braces; "" = the text as it is, of a pair both.
        instruction: What stands before all else; "" = nothing.
        chat: Whether the tokenizer's own template shapes the row, of which the text is a turn.
    """

    template: str = ""
    instruction: str = ""
    chat: bool = False

    def pieces(
        self, example: Example, target: Target, tokenizer: "PreTrainedTokenizerFast"
    ) -> list[Piece]:
        """Returns the parts of a row; behind the last of them the model writes, or nothing does.

        Args:
            example: A text, or a dialogue.
            target: What is to be written; of a dialogue in place of the replies that stand in it.
            tokenizer: The tokenizer, of which only the chat template is asked.

        Raises:
            DataError: The template of the tokenizer, or of the section, does not suit the example.
        """
        turns = self._turns(example, target)
        if self.chat:
            return _chat_pieces(turns, tokenizer)
        return _plain_turns(turns) if example.messages else _plain_text(turns)

    def written(self, example: Example, target: Target) -> tuple[str, ...]:
        """Returns the texts that are to be written, as many as `pieces` has targets."""
        return tuple(turn.message.text for turn in self._turns(example, target) if turn.is_target)

    def fits(self, example: Example) -> bool:
        """Returns whether an example has all that the template names."""
        return names_in(self.template) <= self._values(example).keys()

    def _turns(self, example: Example, target: Target) -> list[_Turn]:
        messages = list(example.messages)
        if messages and self.template:
            raise DataError(
                "prompt: rows that are dialogues take no template; `instruction` stands before them"
            )
        if not messages:
            messages = [Message("user", self._text(example))]
        if self.instruction:
            # One for both, as chat templates take a single one.
            own = messages.pop(0).text if messages[0].role == _SYSTEM else ""
            text = "\n".join(filter(None, (self.instruction, own)))
            messages.insert(0, Message(_SYSTEM, text))
        if target is None or isinstance(target, str):
            last = [_Turn(Message(WRITES, target), True)] if target is not None else []
            return [_Turn(message, False) for message in messages] + last
        if not example.messages:
            raise DataError(
                "the column holds dialogues, and the text of the row is none; `text` of the data "
                "set has to name the same column"
            )
        count = sum(message.role == WRITES for message in messages)
        if count != len(target):
            raise DataError(
                f"expected a text for each of the {count} turns of the role {WRITES}, found "
                f"{len(target)}"
            )
        replies = iter(target)
        return [
            # No chat template asks for a reply before anything was said.
            _Turn(message._replace(text=next(replies)), number > 0 or not self.chat)
            if message.role == WRITES
            else _Turn(message, False)
            for number, message in enumerate(messages)
        ]

    def _text(self, example: Example) -> str:
        values = self._values(example)
        if not self.template:
            return "\n".join(values[name] for name in (TEXT, PAIR) if name in values)
        # An empty cell of a table is no label, so that it is not there.
        return "".join(
            before + (values.get(name, "") if name is not None else "")
            for before, name, _, _ in Formatter().parse(self.template)
        )

    def _values(self, example: Example) -> Mapping[str, str]:
        """Returns the texts of an example by the names of templates."""
        values = {name: text for name, text in example.labels.items() if isinstance(text, str)}
        values[TEXT] = example.text or " ".join(example.words)
        return values | ({PAIR: example.second} if example.second else {})


def names_in(template: str) -> frozenset[str]:
    """Returns the names in braces of a template.

    Raises:
        ValueError: A brace stands alone, or a name is empty or has more behind it than a brace.
    """
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"{error}; write {{{{ or }}}} for a brace that is text") from error
    for _, name, form, conversion in parts:
        if name is not None and (not name or form or conversion):
            raise ValueError(
                "expected names of columns in braces, such as {text}; write {{ or }} for a brace "
                "that is text"
            )
    return frozenset(name for _, name, _, _ in parts if name is not None)


def _plain_text(turns: Sequence[_Turn]) -> list[Piece]:
    """Returns an instruction on a line, the text, and what is to be written on the next line."""
    pieces = []
    for (role, text), is_target in turns:
        if is_target:
            pieces.append(Piece(text, is_target=True, ends=True))
        else:
            is_kept = role == _SYSTEM
            pieces.append(Piece(text, is_kept=is_kept))
            if not text[-1:].isspace():
                pieces.append(Piece("\n", is_kept=is_kept))
    return pieces


def _plain_turns(turns: Sequence[_Turn]) -> list[Piece]:
    """Returns a line for each turn; each reply ends with the end token, in the past as well."""
    pieces = []
    for number, ((role, text), is_target) in enumerate(turns):
        if role == WRITES:
            pieces += [Piece(f"{role}:"), Piece(f" {text}", is_target, ends=True), Piece("\n")]
        elif role == _SYSTEM:
            pieces.append(Piece(f"{text}\n", is_kept=number == 0))
        else:
            pieces.append(Piece(f"{role}: {text}\n"))
    if turns[-1].is_target:
        return pieces[:-1]
    return [*pieces, Piece(f"{WRITES}:")]


def _chat_pieces(turns: Sequence[_Turn], tokenizer: "PreTrainedTokenizerFast") -> list[Piece]:
    """Returns what a tokenizer's chat template makes of turns, cut where targets begin and end."""
    template = _ChatTemplate(tokenizer, [turn.message for turn in turns])
    whole = template.text(len(turns), opens=not turns[-1].is_target)
    kept = template.instruction(whole)
    cuts = [(len(kept), False)] if kept else []
    for number, turn in enumerate(turns):
        if turn.is_target:
            begin, end = template.reply(number, whole)
            cuts += [(begin, False), (end, True)]
    cuts += [] if turns[-1].is_target else [(len(whole), False)]
    pieces, start = [], 0
    for place, (end, is_target) in enumerate(cuts):
        pieces.append(Piece(whole[start:end], is_target, is_kept=bool(kept) and place == 0))
        start = end
    return [piece for piece in pieces if piece.text]


class _ChatTemplate:
    """The chat template of a tokenizer on a dialogue.

    Few templates say where replies stand, so it is found out by what each turn adds.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerFast", messages: Sequence[Message]) -> None:
        if not tokenizer.chat_template:
            raise DataError(
                "chat: the encoder's tokenizer has no chat template; `chat: false` writes turns as "
                "plain lines"
            )
        self._tokenizer = tokenizer
        self._messages = [{"role": role, "content": text} for role, text in messages]

    def text(self, count: int, *, opens: bool = False) -> str:
        """Returns the first turns; where it `opens`, also what stands before a reply."""
        from jinja2 import TemplateError

        try:
            found: str = self._tokenizer.apply_chat_template(
                self._messages[:count], tokenize=False, add_generation_prompt=opens
            )
        except TemplateError as error:
            raise DataError(
                f"chat: the tokenizer's template refuses a dialogue: {one_line(str(error))}; "
                "`chat: false` writes turns as plain lines"
            ) from error
        return found

    def instruction(self, whole: str) -> str:
        """Returns what stays where a row is cut: the instruction, if it stands before all else."""
        if self._messages[0]["role"] != _SYSTEM:
            return ""
        try:
            found = self.text(1)
        except DataError:  # It belongs to the first turn of the user.
            return ""
        return found if whole.startswith(found) else ""

    def reply(self, number: int, whole: str) -> tuple[int, int]:
        """Returns where a reply begins and ends in the whole, the sign of its end included."""
        before, behind = self.text(number, opens=True), self.text(number + 1)
        if not (behind.startswith(before) and whole.startswith(behind)):
            raise DataError(
                "chat: the tokenizer's template writes turns anew when others follow, so that a "
                "dialogue cannot be one row; `chat: false` writes turns as plain lines"
            )
        return len(before), len(behind.rstrip())
