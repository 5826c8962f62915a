"""What a model card says to programs: the metadata by which the hub finds and compares models."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from mtl_core.config import RunConfig
from mtl_core.data.notes import DataNote
from mtl_core.scores import ScoreTree
from mtl_core.section import Section
from mtl_core.sentence_modules import makes_sentences

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData


def _check_license(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", text):
        raise ValueError(
            f"expected the hub's id of a licence, such as apache-2.0, mit, cc-by-4.0 or other; "
            f"found '{text}'"
        )
    return text


def _check_language(text: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]+)*|multilingual", text):
        raise ValueError(
            f"expected the code of a language, such as en, de or zh-Hans, or multilingual; "
            f"found '{text}'"
        )
    return text


LicenseId = Annotated[str, AfterValidator(_check_license)]
LanguageCode = Annotated[str, AfterValidator(_check_language)]
Rows = Mapping[str, Mapping[str, Mapping[str, int]]]
"""Task -> data set -> split -> rows, or questions, with its labels."""


class About(Section):
    """What only you can say of the model; its card, README.md, tells it."""

    license: LicenseId | None = None
    """The hub's id of a licence, such as `apache-2.0`, `cc-by-4.0`, `other`."""
    language: tuple[LanguageCode, ...] = ()
    """Codes of the languages of the texts, such as `[en, de]`, or `[multilingual]`."""


@dataclass(frozen=True, slots=True)
class RunSaid:
    """What a card tells of another run of the same recipe, which had another seed.

    Attributes:
        dev: Its scores on dev.
        test: Its scores on test; None when there are none.
    """

    dev: ScoreTree
    test: ScoreTree | None = None


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a model card tells.

    Attributes:
        config: The run that trained the model.
        labels: Task name -> labels the model predicts.
        rows: What it was trained and scored on.
        precision: What the run computed in.
        dev: Dev scores of the saved epoch, as `result.json` holds them; may be empty.
        test: Test scores; None when they were not computed.
        about: What its owner says of it, if anything.
        leaks: Notes that rows of dev or test stand in train, too.
    """

    config: RunConfig
    labels: Mapping[str, tuple[str, ...]]
    rows: Rows
    precision: str
    dev: ScoreTree
    test: ScoreTree | None
    about: About | None = None
    leaks: Sequence[DataNote] = ()


def card_data(facts: CardFacts) -> "ModelCardData":
    """Returns the metadata of a model card; nothing stands in it that is not known."""
    from huggingface_hub import ModelCardData

    config, about = facts.config, facts.about or About()
    datasets = [section.public_name() for section in config.datasets.values()]
    results = list(_results(facts))
    return ModelCardData(
        language=list(about.language) or None,
        license=about.license,
        library_name="mtl",
        tags=_tags(config),
        base_model=config.encoder.public_name(),
        datasets=list(dict.fromkeys(filter(None, datasets))) or None,
        metrics=list(dict.fromkeys(result.metric_type for result in results)) or None,
        pipeline_tag=_pipeline(config),
        # Without results the hub takes no name.
        model_name=f"Multi-task model: {', '.join(config.tasks)}" if results else None,
        eval_results=results or None,
    )


def kind_name(kind: str) -> str:
    """Returns what a kind of task is called; of one in a file only its class.

    The path says something about one machine alone.
    """
    return kind.rpartition(":")[2]


def _tags(config: RunConfig) -> list[str]:
    kinds = sorted({kind_name(task.kind) for task in config.tasks.values()})
    others = ["sentence-transformers"] if makes_sentences(config.encoder) else []
    return ["multi-task", *(re.sub(r"[^\w-]", "-", kind) for kind in kinds), *others]


def _pipeline(config: RunConfig) -> str | None:
    # The hub has one place for it: the first task that counts.
    tasks = sorted(config.tasks.values(), key=lambda task: task.auxiliary)
    return next((task.pipeline for task in tasks if task.pipeline), None)


def _results(facts: CardFacts) -> "Iterator[EvalResult]":
    """Yields the scores of tasks over all their labels and data sets."""
    from huggingface_hub import EvalResult

    for split, scores in {"dev": facts.dev, "test": facts.test or {}}.items():
        for name, section in facts.config.tasks.items():
            found = scores.get(name)
            datasets = {key: facts.config.datasets[key] for key in section.datasets}
            rows = sum(counts.get(split, 0) for counts in facts.rows[name].values())
            for score, value in found.items() if isinstance(found, Mapping) else ():
                # Names with a slash are scores of single labels and data sets.
                if "/" in score or math.isnan(value):
                    continue
                yield EvalResult(
                    task_type=section.pipeline or "other",
                    dataset_type=" + ".join(
                        one.public_name() or key for key, one in datasets.items()
                    ),
                    dataset_name=" + ".join(datasets),
                    dataset_split=split,
                    metric_type=score,
                    # Here, as the hub has no other place: it puts results of tasks on the same
                    # data set together.
                    metric_name=f"{name} {score} on {rows} rows",
                    metric_value=value,
                )
