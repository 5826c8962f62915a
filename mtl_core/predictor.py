"""The predictor: loads a saved model and applies it to texts."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mtl_core.config import RunConfig
from mtl_core.data.batching import Batch, make_batch, rows_by_length
from mtl_core.data.collate import BATCH_SIZE
from mtl_core.data.encoded import EncodedSplit
from mtl_core.data.messages import messages_in
from mtl_core.data.words import Cut, Words, has_unspaced
from mtl_core.decoding_settings import with_settings
from mtl_core.errors import ConfigError, DataError
from mtl_core.hub import find_model
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.model.writers.texts import write_rows
from mtl_core.prediction import GUESS, UNFIT, Input, OnText, Prediction, Row, Text, check_numbers
from mtl_core.saved_model import load_model
from mtl_core.tasks.base import Task
from mtl_core.tasks.outcome import Decoded
from mtl_core.tasks.outputs import Output
from mtl_core.training.distributed import find_device

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger(__name__)


class Predictor:
    """A loaded model; call it with texts.

    Texts are cut into words as those of training were: at white space, at punctuation where
    training has it apart, or at every character. Offsets count characters of the text as it was
    given. Text longer than the model takes is cut off, and the words beyond get no tag. Contexts of
    questions may have any length; a question that leaves no room for its context gets no answer.
    Each task reads what it was trained on: of a pair only the first text, when its data sets had
    single texts, and features only when they had some. Computes in fp32.
    """

    def __init__(
        self,
        config: RunConfig,
        model: MultiTaskModel,
        tasks: Mapping[str, Task],
        tokenizer: "PreTrainedTokenizerFast",
        *,
        max_length: int,
        parts: Mapping[str, Sequence[int]],
        cuts: Mapping[str, Cut],
    ) -> None:
        """Takes a model, which is put into evaluation mode.

        Args:
            config: The run that trained the model.
            model: The model.
            tasks: Task name -> task.
            tokenizer: Its tokenizer.
            max_length: Longest row, in sub-words, special tokens included.
            parts: Task name -> parts that the texts of its data sets had; see `count_parts`.
            cuts: Data set name -> how texts are cut into words, as its own are.
        """
        self.config = config
        self.model = model.eval()
        self.tasks = dict(tasks)
        self.tokenizer = tokenizer
        self.max_length = max_length
        self.cuts = dict(cuts)
        self._parts = parts

    @classmethod
    def load(
        cls,
        folder: str | Path,
        *,
        trust_code: bool = False,
        device: str | None = None,
        revision: str | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> "Predictor":
        """Loads a model; runs no code from it, so it may come from elsewhere.

        Args:
            folder: Its folder, or USER/NAME on the Hugging Face hub, where no folder has that name.
            trust_code: Whether code of the model's own kinds of tasks, files and packages, may run.
            device: Where it computes, such as "cpu", "cuda:1" or "mps"; None = a GPU when there is
                one.
            revision: Branch, tag or commit on the hub; None = its main branch.
            settings: Those that need no training, in the place of the model's own: dotted key ->
                value, such as {"tasks.reply.decoding.kind": "beam"}.

        Raises:
            ConfigError: The folder holds no model, one of another format, or one that names code;
                there is no such device, or no such model on the hub, or no way to it; or a setting
                is none, or one that needs training.
        """
        place = find_device(device)  # first, as it takes no time
        saved = load_model(find_model(folder, revision=revision), trust_code=trust_code)
        saved = with_settings(saved, settings or {})
        return cls(
            saved.config,
            saved.model.to(place),
            saved.tasks,
            saved.tokenizer,
            max_length=saved.max_length,
            parts=saved.parts,
            cuts=saved.cuts,
        )

    def __call__(
        self,
        texts: Text | Sequence[Text],
        *,
        features: Sequence[Sequence[float]] = (),
        columns: Sequence[Mapping[str, object]] = (),
        batch_size: int = BATCH_SIZE,
        words: Words | None = None,
        on_text: OnText | None = None,
    ) -> list[Prediction]:
        """Predicts all tasks for every text; returns predictions in the order of the texts.

        Args:
            texts: One text or a list; a pair (text, second) is a pair of sentences, or a question
                and its context; a list of turns with `role` and `content` is a dialogue. Half a
                surrogate pair is read as U+FFFD.
            features: The extra dense numbers of every text, for models trained with some.
            columns: What else stands in the row of every text: column -> value, for tasks whose
                prompt is made of several columns.
            batch_size: Texts per batch.
            words: Where words end; None = where they do in training. `whitespace` takes texts that
                are tokenised already exactly as they are.
            on_text: Is told of what tasks write while they do, where there is one text and its
                words are final as they come, as beam search has them not.

        Raises:
            DataError: An entry is neither a text nor a pair of texts nor a dialogue, the number of
                features or of rows of columns is not right, or there are pairs and the model was
                trained without.
        """
        rows = self._rows(texts, features, columns)
        filled = [row for row in rows if row.text.strip()]
        # Pairs and single texts apart: a layout wants all rows with a second part or none, and what
        # is said of a text must not hang on the others.
        for has_second in (False, True):
            chosen = [row for row in filled if row.has_second == has_second]
            if chosen:
                told = on_text if len(rows) == 1 else None
                self._predict(chosen, batch_size, None if words is None else Cut(words), told)
        return [Prediction(row.text, row.second, row.outputs) for row in rows]

    def _rows(
        self,
        texts: Text | Sequence[Text],
        features: Sequence[Sequence[float]],
        columns: Sequence[Mapping[str, object]],
    ) -> list[Row]:
        """Returns what is to be predicted, checked."""
        is_one = isinstance(texts, str | tuple) or messages_in(texts, "texts") is not None
        listed = [texts] if is_one else list(texts)
        sizes = {self.model.num_features[name] for name in self.outputs_of()}
        check_numbers(features, sizes, columns, num_texts=len(listed))
        unknown = dict.fromkeys(self.outputs_of())
        rows = [
            Row.of(text, numbers, cells, {**unknown})
            for text, numbers, cells in zip(
                listed, features or [()] * len(listed), columns or [{}] * len(listed), strict=True
            )
        ]
        if not self.takes_pairs and any(row.second for row in rows):
            raise DataError("texts: the model takes single texts, it was trained without pairs")
        return rows

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.model.parameters()).device

    @property
    def takes_pairs(self) -> bool:
        """Whether a task reads pairs, or questions with their contexts."""
        return any(2 in parts for parts in self._parts.values())

    @property
    def writes(self) -> bool:
        """Whether a task writes texts."""
        return any(task.writing is not None for task in self.tasks.values())

    def outputs_of(self) -> list[str]:
        """Returns the tasks that say something of a text, in the order of the study file."""
        return [name for name, task in self.tasks.items() if task.speaks]

    def _predict(
        self, rows: Sequence[Row], batch_size: int, cut: Cut | None, on_text: OnText | None
    ) -> None:
        """Fills in what the tasks say; the rows all have a second part, or none has."""
        for wanted, names in self._inputs(rows[0], cut).items():
            # Tasks that read the same of a text share one pass of the encoder.
            sizes = {"max_length": self.max_length}
            if wanted.cut.is_guess and any(has_unspaced(row.text) for row in rows):
                _warn_once(GUESS)
            cut_rows = [(row, row.view(wanted.cut)) for row in rows]
            triples = [(row, view, row.example(view, wanted)) for row, view in cut_rows]
            fitting = [
                (row, view, example)
                for row, view, example in triples
                if wanted.layout.fits(example, self.tokenizer, **sizes)
            ]
            if self.writes and len(fitting) < len(triples):
                _warn_once(UNFIT)
            if not fitting:
                continue
            examples = [example for _, _, example in fitting]
            # Without columns: there are no labels, only rows. `split.source` is what leads back
            # from a row to its text where a layout cuts texts into pieces, so there may be more
            # rows than texts.
            split = wanted.layout.encode(examples, self.tokenizer, (), {}, **sizes)
            views = [view for _, view, _ in fitting]
            reading = [name for name in names if self.tasks[name].writing is None]
            said: dict[str, Sequence[Output]] = {
                name: self._write(split, name, on_text) for name in names if name not in reading
            }
            for name, read in self._read(split, reading, batch_size).items():
                said[name] = self.tasks[name].says(self.model.head(name), read, views, split.source)
            for name, outputs in said.items():
                for (row, _, _), output in zip(fitting, outputs, strict=True):
                    row.outputs[name] = output

    def _inputs(self, row: Row, cut: Cut | None) -> Mapping[Input, list[str]]:
        """Returns the tasks that can read a row, by what they read of it."""
        inputs: dict[Input, list[str]] = {}
        for name in self.outputs_of():
            parts, num_features = self._parts[name], self.model.num_features[name]
            has_second = row.has_second and 2 in parts
            # A task trained on pairs alone says nothing of a single text, and one with features
            # nothing without; one trained on single texts reads the first part of a pair.
            if (has_second or 1 in parts) and num_features in (0, len(row.features)):
                section = self.config.tasks[name]
                as_trained = Cut.merge(self.cuts[dataset] for dataset in section.datasets)
                layout, called = self.config.layout_of(name), self.config.names_of_texts(name)
                wanted = Input(layout, has_second, num_features, cut or as_trained, called)
                inputs.setdefault(wanted, []).append(name)
        return inputs

    def _read(
        self, split: EncodedSplit, names: Sequence[str], batch_size: int
    ) -> Mapping[str, Sequence[Decoded]]:
        """Returns task name -> what it has to know of each row, in order."""
        read: dict[str, dict[int, Decoded]] = {name: {} for name in names}
        for numbers, batch, logits in self._batches(split, names, batch_size):
            for name in names:
                # Only what `says` needs, on the CPU: the device may have no room for all logits.
                found = self.tasks[name].read(self.model.head(name), logits[name], batch)
                read[name].update(zip(numbers, found, strict=True))
        return {name: [found[row] for row in range(len(split))] for name, found in read.items()}

    def _write(self, split: EncodedSplit, name: str, on_text: OnText | None) -> list[str]:
        """Returns what a task writes for each row, which ends where the text is to begin."""
        writer, writing = self.model.writer, self.tasks[name].writing
        assert writer is not None
        assert writing is not None
        on_piece = None if on_text is None else partial(on_text, name)
        return write_rows(writer, split.token_ids, writing.decoding, on_piece=on_piece)

    def _batches(
        self, rows: EncodedSplit, names: Sequence[str], batch_size: int
    ) -> Iterator[tuple[list[int], Batch, dict[str, Tensor]]]:
        """Yields row numbers, batch and logits; rows of similar length stand together."""
        # As in an evaluation: sums over other shapes would differ in their last bits.
        for numbers in rows_by_length(rows, batch_size=batch_size):  # each (batch,)
            pad_token_id = self.tokenizer.pad_token_id or 0
            batch = make_batch(rows, numbers, pad_token_id=pad_token_id).to(self.device)
            with torch.inference_mode():
                yield numbers.tolist(), batch, self.logits(batch, names)

    def logits(self, batch: Batch, names: Sequence[str]) -> dict[str, Tensor]:
        """Returns task name -> logits of a batch.

        Raises:
            ConfigError: Some are no numbers.
        """
        found = self.model(batch, names)
        for name, values in found.items():
            # Less than all numbers is what some heads give to what cannot be.
            if (values.isnan() | values.isposinf()).any():
                raise ConfigError(
                    f"task '{name}': the model gives NaN or infinity in place of numbers; its "
                    "weights are damaged, or far too large"
                )
        return found  # type: ignore[no-any-return]


@cache
def _warn_once(text: str) -> None:
    logger.warning("%s", text)
