"""Rows of pieces: token ids with what is to be written in them, cut to what a model takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mtl_core.data.arrays import NO_LABEL
from mtl_core.data.layouts.pieces import PieceIds
from mtl_core.data.layouts.prompts import Piece
from mtl_core.errors import DataError


class TargetRow(NamedTuple):
    """A row.

    Attributes:
        ids: Token ids.
        labels: What is to be written; see `TargetColumn`.
        texts: Where tokens of texts stand, and no special ones.
        uncut: How many tokens it would have if it had its whole beginning.
        num_targets: How many texts are to be written in it.
    """

    ids: list[int]
    labels: list[int]
    texts: list[int]
    uncut: int
    num_targets: int


class RowMaker:
    """Makes rows of the pieces of examples."""

    def __init__(
        self,
        tokens: PieceIds,
        *,
        is_joint: bool,
        is_chat: bool,
        longest: int,
        max_length: int,
    ) -> None:
        """Takes what shapes all rows.

        Args:
            tokens: Makes token ids.
            is_joint: Whether source and targets stand in one row.
            is_chat: Whether special tokens are spelt out in pieces.
            longest: Longest text to write, in sub-words.
            max_length: Longest row.

        Raises:
            DataError: No room is left for a prompt.
        """
        if is_joint and longest >= max_length:
            raise DataError(
                f"target_length: {longest} sub-words to write leave no room for a prompt in rows "
                f"of {max_length} (run.encoder.max_length)"
            )
        self._tokens = tokens
        self._is_joint = is_joint
        self._is_chat = is_chat
        self._longest = longest
        self._max_length = max_length

    def rows(self, examples: Sequence[Sequence[Piece]]) -> Iterator[list[TargetRow]]:
        """Yields the rows of each example, in one call of the tokenizer for all.

        Raises:
            DataError: An instruction leaves no room for more, or a chat template does not say where
                replies end.
        """
        every = [(piece, place == 0) for pieces in examples for place, piece in enumerate(pieces)]
        ids: list[list[int]] = [[] for _ in every]
        for is_first in (True, False):
            # Apart, a target is a text of its own.
            places = [
                place
                for place, (piece, begins) in enumerate(every)
                if is_first == (begins or (piece.is_target and not self._is_joint))
            ]
            texts = [every[place][0].text for place in places]
            made = self._tokens.of(texts, is_first=is_first, has_specials=self._is_chat)
            for place, one in zip(places, made, strict=True):
                ids[place] = one
        make = self._joint if self._is_joint else self._apart
        done = 0
        for pieces in examples:
            yield make(pieces, ids[done : done + len(pieces)])
            done += len(pieces)

    def _joint(self, pieces: Sequence[Piece], ids: Sequence[list[int]]) -> list[TargetRow]:
        head, body = _Strip(), _Strip()
        # A chat template spells out what a row begins with.
        head.add([] if self._is_chat else self._tokens.before, is_text=False)
        for place, (piece, found) in enumerate(zip(pieces, ids, strict=True)):
            strip = head if piece.is_kept and not body.ids else body
            if piece.is_target:
                strip.add_target(self._cut(piece, found))
                continue
            strip.add(found)
            opens = place + 1 == len(pieces) or pieces[place + 1].is_target
            # The end token parts a text from what is written where line ends are no tokens.
            if piece.ends or (opens and not found):
                strip.add([self._tokens.end], is_text=False)
        room = self._max_length - len(head.ids)
        self._check_room(room - self._longest, head)
        return [_joined(head, body, *window) for window in self._windows(body, room)]

    def _windows(self, body: "_Strip", room: int) -> Iterator[tuple[int, int, int]]:
        """Yields where a row begins and ends in the body, and where its first target does.

        Every target is in one row, and all that fit into a row share it: the first row has the
        whole beginning, each later one is filled with the past to the half at most.
        """
        free = room - self._longest  # the longest prompt
        if not body.targets:
            yield max(0, len(body.ids) - free), len(body.ids), len(body.ids)
        first = 0
        while first < len(body.targets):
            start, _ = body.targets[first]
            past = start if first == 0 else min(room // 2, start)
            begin = start - min(past, free)
            last = first
            while last + 1 < len(body.targets) and body.targets[last + 1][0] - begin <= free:
                last += 1
            yield begin, body.targets[last][1], start
            first = last + 1

    def _apart(self, pieces: Sequence[Piece], ids: Sequence[list[int]]) -> list[TargetRow]:
        tokens, rows = self._tokens, []
        head, body = _Strip(), _Strip()
        head.add(tokens.before, is_text=False)
        pairs = list(zip(pieces, ids, strict=True))
        for place, (piece, found) in enumerate(pairs):
            if piece.is_target:
                labels = tokens.target(found, longest=self._longest)
                rows.append(self._source_row(head, body, labels))
            # Line ends between the texts of one source; not behind the last one.
            if not piece.text.isspace() or not _is_last(pieces, place):
                (head if piece.is_kept and not body.ids else body).add(found)
        return rows or [self._source_row(head, body, [NO_LABEL])]

    def _source_row(self, head: "_Strip", body: "_Strip", labels: list[int]) -> TargetRow:
        tail = self._tokens.after
        room = self._max_length - len(head.ids) - len(tail)
        self._check_room(room, head)
        row = _joined(head, body, max(0, len(body.ids) - room), len(body.ids), len(body.ids))
        return row._replace(
            ids=row.ids + tail,
            labels=labels,
            uncut=row.uncut + len(tail),
            num_targets=int(labels != [NO_LABEL]),
        )

    def _cut(self, piece: Piece, ids: list[int]) -> list[int]:
        """Returns a target with its end, cut where it is too long."""
        if piece.ends:
            return [*ids[: self._longest - 1], self._tokens.end]
        if not ids or ids[-1] not in self._tokens.specials:
            raise DataError(
                "chat: the tokenizer's template ends replies with no token of its own, so that a "
                "model would never stop; `chat: false` writes turns as plain lines"
            )
        return ids if len(ids) <= self._longest else [*ids[: self._longest - 1], ids[-1]]

    def _check_room(self, room: int, head: "_Strip") -> None:
        if room < 1:
            behind = f" and target_length {self._longest}" if self._is_joint else ""
            raise DataError(
                f"instruction: its {len(head.ids)} sub-words{behind} leave no room for a text in "
                f"rows of {self._max_length} (run.encoder.max_length)"
            )


@dataclass(slots=True)
class _Strip:
    """Tokens in a row that grows.

    Attributes:
        ids: Token ids.
        is_text: Whether each belongs to a text, and is no special one.
        targets: Where each target begins, and the place behind its end.
    """

    ids: list[int] = field(default_factory=list)
    is_text: list[bool] = field(default_factory=list)
    targets: list[tuple[int, int]] = field(default_factory=list)

    def add(self, ids: Sequence[int], *, is_text: bool = True) -> None:
        """Adds tokens that are read."""
        self.ids += ids
        self.is_text += [is_text] * len(ids)

    def add_target(self, ids: Sequence[int]) -> None:
        """Adds tokens that are to be written."""
        self.targets.append((len(self.ids), len(self.ids) + len(ids)))
        self.add(ids)


def _joined(head: _Strip, body: _Strip, begin: int, end: int, first: int) -> TargetRow:
    """Returns the head with a part of the body, whose targets count from the place `first` on."""
    ids = head.ids + body.ids[begin:end]
    labels = [NO_LABEL] * len(ids)
    targets = [(start, stop) for start, stop in body.targets if first <= start and stop <= end]
    for start, stop in targets:
        place = start - begin + len(head.ids)
        labels[place : place + stop - start] = body.ids[start:stop]
    is_text = head.is_text + body.is_text[begin:end]
    texts = [place for place, is_in in enumerate(is_text) if is_in]
    return TargetRow(ids, labels, texts, len(head.ids) + end, len(targets))


def _is_last(pieces: Sequence[Piece], place: int) -> bool:
    """Returns whether nothing that is read follows a piece before the next target."""
    return place + 1 == len(pieces) or pieces[place + 1].is_target
