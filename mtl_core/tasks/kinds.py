"""The kinds of tasks: those of this package, and any class named by where it is imported from."""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, PlainValidator, SerializeAsAny, Tag, WithJsonSchema

from mtl_core.data.columns.base import AnyColumn, Column
from mtl_core.data.columns.kinds import COLUMNS
from mtl_core.data.columns.label import LabelColumn
from mtl_core.errors import ConfigError
from mtl_core.imported import imported
from mtl_core.printable import one_line
from mtl_core.tasks.base import Task, TaskSection
from mtl_core.tasks.causal_lm import CausalLm
from mtl_core.tasks.classification import Classification
from mtl_core.tasks.generation import Generation
from mtl_core.tasks.masked_lm import MaskedLm
from mtl_core.tasks.multilabel import Multilabel
from mtl_core.tasks.question_answering import QuestionAnswering
from mtl_core.tasks.regression import Regression
from mtl_core.tasks.tagging import Tagging
from mtl_core.untrusted import OUTSIDE

_IMPORTED = "file.py:Class or package.module:Class"
_IMPORTED_SCHEMA = {
    "description": "A task of a kind that stands outside the package, with settings of its own.",
    "type": "object",
    "properties": {"kind": {"type": "string", "pattern": ":", "description": _IMPORTED}},
    "required": ["kind", "dataset", "column"],
}
# A context variable and no argument: it has to pass through pydantic, which calls the validator.
_treatment: ContextVar[Literal["import", "refuse", "leave"]] = ContextVar(
    "treatment", default="import"
)
"""How kinds that stand outside the package are treated; `outside_kinds` sets it."""


@contextmanager
def outside_kinds(treatment: Literal["refuse", "leave"]) -> Iterator[None]:
    """Within the block, no kind that stands outside the package is imported.

    A study file that a user names is the user's own, but a saved model or a study folder may come
    from a stranger.

    Args:
        treatment: `refuse` = they are an error; `leave` = they become an `UnreadTask`.
    """
    token = _treatment.set(treatment)
    try:
        yield
    finally:
        _treatment.reset(token)


class UnreadTask(TaskSection):
    """A task of a kind that is not imported: its settings as they were written, to look at."""

    model_config = ConfigDict(extra="allow")

    def column_in(self, dataset: str, name: str) -> AnyColumn:
        """Returns a column of its own: which kind its real one has, only its code can tell."""
        return self.make_column(name, f"{name}:{dataset}")

    def make_column(self, name: str, column: str) -> AnyColumn:
        """Returns a column of labels, as good as any."""
        return LabelColumn(name, column)

    def build(self, name: str, labels: Any) -> Task:
        """Refuses: without its code there is no task.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(f"run.tasks.{name}.kind: '{one_line(self.kind)}' {OUTSIDE}")


def imported_section(value: Any) -> TaskSection:
    """Returns the section of a kind that stands outside the package.

    `kind` is `package.module:Class`, or `file.py:Class` with a path like all others in a study
    file; the path is made absolute, so that every worker finds it.

    Raises:
        ValueError: The class cannot or must not be imported, or is no task section.
    """
    if isinstance(value, TaskSection):
        return value  # a section that was built in Python, or is checked a second time
    kind = value["kind"]
    if _treatment.get() == "leave":
        return UnreadTask.model_validate({**value, "kind": str(kind)})
    if _treatment.get() == "refuse":
        raise ValueError(f"kind: '{one_line(kind)}' {OUTSIDE}")
    try:
        found, kind = imported(kind)
    except ImportError as error:
        raise ValueError(f"kind: {error}") from error
    if not (isinstance(found, type) and issubclass(found, TaskSection)):
        raise ValueError(f"kind: '{kind}' is not a class derived from TaskSection")
    # Told here, with the page that helps, and not by a TypeError when a section is made.
    if missing := sorted(found.__abstractmethods__):
        raise ValueError(f"kind: '{kind}' lacks {', '.join(missing)}; see docs/own_task.md")
    section = found.model_validate({**value, "kind": str(kind)})
    _check_column(section)
    return section


def _check_column(section: TaskSection) -> None:
    """Refuses a kind whose column is none, before data are read for it."""
    # Whatever its code raises is told as an error of the study file, as on import.
    try:
        column = section.make_column("task", "column")
    except Exception as error:
        raise ValueError(f"kind: '{section.kind}': make_column failed: {error}") from error
    try:
        section.layout(reads_targets=False)
    except Exception as error:
        raise ValueError(f"kind: '{section.kind}': layout failed: {error}") from error
    if not isinstance(column, Column) or column.kind not in COLUMNS:
        raise ValueError(
            f"kind: make_column of '{section.kind}' returns {type(column).__name__}; expected one "
            f"of {', '.join(sorted(one.__name__ for one in COLUMNS.values()))}; see "
            "docs/own_task.md"
        )


def outside_code(section: TaskSection) -> Path | None:
    """Returns the file of a kind that stands outside the package; None for those of the package."""
    return Path(inspect.getfile(type(section))) if ":" in section.kind else None


def _kind_of(value: Any) -> str | None:
    # All that are imported share one tag of the union: their kinds are not known beforehand.
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return _IMPORTED if isinstance(kind, str) and ":" in kind else kind


AnyTaskSection = Annotated[
    Annotated[Classification, Tag("classification")]
    | Annotated[Multilabel, Tag("multilabel")]
    | Annotated[Regression, Tag("regression")]
    | Annotated[Tagging, Tag("tagging")]
    | Annotated[QuestionAnswering, Tag("question_answering")]
    | Annotated[MaskedLm, Tag("masked_lm")]
    | Annotated[Generation, Tag("generation")]
    | Annotated[CausalLm, Tag("causal_lm")]
    | Annotated[
        SerializeAsAny[TaskSection],
        PlainValidator(imported_section),
        WithJsonSchema(_IMPORTED_SCHEMA),
        Tag(_IMPORTED),
    ],
    Discriminator(_kind_of),
]
