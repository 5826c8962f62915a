"""The predictor: a saved model applied to texts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from re import finditer
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mtl_core.config import RunConfig
from mtl_core.data.batching import make_batch
from mtl_core.data.encode import encode_split
from mtl_core.data.example import Example
from mtl_core.data.store import EncodedDataset, load_dataset
from mtl_core.errors import ConfigError, DataError
from mtl_core.export import FORMAT
from mtl_core.model.encoder import without_pooler
from mtl_core.model.multitask import MultiTaskModel
from mtl_core.study_file import read_document
from mtl_core.tasks.base import Task
from mtl_core.training.distributed import Place
from mtl_core.training.evaluation import Evaluation, evaluate
from mtl_core.validation import validate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True)
class Label:
    """A predicted label and its softmax probability."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Span:
    """A tagged piece of the text: `text[start:end]`, in characters of the original."""

    type: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model says of one text.

    Attributes:
        text: The text as it was given.
        labels: Classification task -> its label; None for a text without words.
        spans: Tagging task -> its spans, in the order of the text.
    """

    text: str
    labels: Mapping[str, Label | None]
    spans: Mapping[str, tuple[Span, ...]]

    def to_json(self) -> str:
        """Returns one line of JSON: the text, then a key a task."""
        record: dict[str, object] = {"text": self.text}
        for task, label in self.labels.items():
            record[task] = label and {"label": label.label, "probability": label.probability}
        for task, spans in self.spans.items():
            record[task] = [
                {"type": span.type, "start": span.start, "end": span.end, "text": span.text}
                for span in spans
            ]
        return json.dumps(record, ensure_ascii=False)


class Predictor:
    """A loaded model; call it with texts.

    Words are cut at white space, as in training. Text longer than the model takes is cut, and the
    words beyond get no span. Computes in fp32, on a GPU when there is one.
    """

    def __init__(
        self,
        config: RunConfig,
        model: MultiTaskModel,
        tasks: Mapping[str, Task],
        tokenizer: "PreTrainedTokenizerFast",
        *,
        max_length: int,
    ) -> None:
        self.config = config
        self.model = model.eval()
        self.tasks = dict(tasks)
        self.tokenizer = tokenizer
        self.max_length = max_length

    @classmethod
    def load(cls, folder: str | Path) -> "Predictor":
        """Loads a model folder; runs no code from it, so it may come from elsewhere.

        Raises:
            ConfigError: The folder holds no model, or one of a newer format.
        """
        from transformers import AutoConfig, AutoModel, AutoTokenizer

        folder = Path(folder)
        meta = _read_meta(folder)
        config = validate(read_document(folder / "run.yaml"), RunConfig)
        tasks = {
            name: section.build(tuple(meta["tasks"][name]["labels"]))
            for name, section in config.tasks.items()
        }
        encoder = without_pooler(AutoModel.from_config(AutoConfig.from_pretrained(folder)))
        model = MultiTaskModel(encoder, tasks, pooling=config.encoder.pooling)
        try:
            model.load_state_dict(load_file(folder / "model.safetensors"))
        except (OSError, RuntimeError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(
                f"{folder}: model.safetensors does not fit mtl.json and config.json: {reason}"
            ) from error
        return cls(
            config,
            model.to(Place.current().device),
            tasks,
            AutoTokenizer.from_pretrained(folder),
            max_length=int(meta["max_length"]),
        )

    def __call__(self, texts: str | Sequence[str], *, batch_size: int = 64) -> list[Prediction]:
        """Predicts all tasks for every text, in the order given.

        Args:
            texts: One text or several; one without words gets None and no spans.
            batch_size: Texts a batch.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        words = [list(finditer(r"\S+", text)) for text in texts]
        filled = [number for number, found in enumerate(words) if found]
        examples = [Example(tuple(word.group() for word in words[number])) for number in filled]
        results = [self._nothing(text) for text in texts]
        if not examples:
            return results
        rows = encode_split(examples, self.tokenizer, (), {}, max_length=self.max_length)
        order = rows.token_ids.lengths().argsort(kind="stable")
        pad_token_id = self.tokenizer.pad_token_id or 0
        for start in range(0, len(order), batch_size):
            numbers = order[start : start + batch_size]
            batch = make_batch(rows, numbers, pad_token_id=pad_token_id)
            with torch.inference_mode():
                logits = self.model(batch.to(self.model.encoder.device), list(self.tasks))
            starts = rows.word_starts
            for place, row in enumerate(numbers):
                first = starts.values[starts.offsets[row] : starts.offsets[row + 1]]
                text = filled[row]
                results[text] = self._prediction(
                    texts[text],
                    [(word.start(), word.end()) for word in words[text]],
                    [bool(position >= 0) for position in first],
                    {name: values[place].float().cpu() for name, values in logits.items()},
                )
        return results

    def _nothing(self, text: str) -> Prediction:
        return Prediction(
            text,
            {name: None for name, task in self.tasks.items() if not task.is_per_word},
            {name: () for name, task in self.tasks.items() if task.is_per_word},
        )

    def _prediction(
        self,
        text: str,
        words: Sequence[tuple[int, int]],
        is_kept: Sequence[bool],
        logits: Mapping[str, Tensor],
    ) -> Prediction:
        labels: dict[str, Label | None] = {}
        spans: dict[str, tuple[Span, ...]] = {}
        for name, task in self.tasks.items():
            if task.is_per_word:
                best = logits[name].argmax(dim=-1).tolist()
                tags = [
                    task.labels[tag] if kept else "O"
                    for tag, kept in zip(best, is_kept, strict=False)  # padding follows the words
                ]
                spans[name] = tuple(
                    Span(
                        type_,
                        words[first][0],
                        words[last][1],
                        text[words[first][0] : words[last][1]],
                    )
                    for type_, first, last in bio_spans(tags)
                )
            else:
                shares = torch.softmax(logits[name], dim=-1)
                number = int(shares.argmax())
                labels[name] = Label(task.labels[number], float(shares[number]))
        return Prediction(text, labels, spans)


def bio_spans(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yields (type, first word, last word) of every span, in strict IOB2 as seqeval reads it.

    A span begins with B- and goes on with I- of the same type; an I- that continues nothing is
    no span.
    """
    type_, first = "", 0
    for position, tag in enumerate([*tags, "O"]):
        if type_ and tag != f"I-{type_}":
            yield type_, first, position - 1
            type_ = ""
        if tag.startswith("B-"):
            type_, first = tag[2:], position


def evaluate_model(folder: str | Path, *, split: str = "test") -> Evaluation:
    """Scores a saved model on a split of the data that its run.yaml names.

    Raises:
        ConfigError: The folder holds no model.
        DataError: The data cannot be read, lacks the split, or has other train labels.
    """
    predictor = Predictor.load(folder)
    config = predictor.config
    datasets: dict[str, EncodedDataset] = {}
    for name, section in config.datasets.items():
        columns = config.columns(name)
        dataset = load_dataset(
            name, section, columns, predictor.tokenizer, max_length=predictor.max_length
        )
        for column in columns:
            if dataset.labels[column.task_name].trained != predictor.tasks[column.task_name].labels:
                raise DataError(
                    f"data set '{name}': the train labels of task '{column.task_name}' are not "
                    "those the model was trained with"
                )
        datasets[name] = dataset
    if not any(split in dataset.splits for dataset in datasets.values()):
        raise DataError(f"--split: the data has no split '{split}'")
    return evaluate(
        predictor.model,
        predictor.tasks,
        datasets,
        split=split,
        place=Place.current(),
        precision=config.training.precision,
        pad_token_id=predictor.tokenizer.pad_token_id or 0,
    )


def _read_meta(folder: Path) -> dict[str, Any]:
    path = folder / "mtl.json"
    if not path.is_file():
        raise ConfigError(f"{folder}: no model in this folder, there is no mtl.json in it")
    meta = json.loads(path.read_text(encoding="utf-8"))
    if meta.get("format") != FORMAT:
        raise ConfigError(
            f"{path}: expected format {FORMAT}, found {meta.get('format')}; install a newer mtl"
        )
    return dict(meta)
