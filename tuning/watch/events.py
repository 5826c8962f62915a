"""The lines of `mtl tune --json`: one JSON object for each thing that happens in a study.

More kinds of events and more keys may come; what is here keeps its name and its meaning.
"""

import json
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from mtl_core.scores import only_finite
from tuning.records import Status


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    time: float = Field(default_factory=time.time)
    """When it happened, in seconds since 1970 (UTC)."""


class StageEvent(_Event):
    """A new stage of the study began, such as "starting 2 trainers" or "scoring on test"."""

    event: Literal["stage"] = "stage"
    text: str
    """What is done."""


class PlannedEvent(_Event):
    """The search begins."""

    event: Literal["planned"] = "planned"
    trials: int
    """Trials in all."""
    ended: int
    """Trials that ended in earlier sessions."""
    epochs: int
    """Epochs of a trial that is not stopped."""
    trainers: int
    """Trials at a time."""


class QueuedEvent(_Event):
    """Runs that are no trials are to be trained, those of the final stage for instance."""

    event: Literal["queued"] = "queued"
    runs: tuple[str, ...]
    """Their run ids."""
    ended: int
    """How many of them ended in earlier sessions."""


class BeganEvent(_Event):
    """A run began, or goes on after a pause or a restart."""

    event: Literal["began"] = "began"
    run: str
    """Run id: "0007" is a trial, one with a "/" a run of another stage."""
    parameters: Mapping[str, Any]
    """Dotted key of `run` -> value in effect."""


class ReportedEvent(_Event):
    """A run reports: at the end of an epoch, or within it."""

    event: Literal["reported"] = "reported"
    run: str
    """Run id."""
    report: Mapping[str, Any]
    """The report, as a line of `reports.jsonl` holds it; see `mtl_core.training.report.Report`."""


class PausedEvent(_Event):
    """A trial left its trainer; it may go on later."""

    event: Literal["paused"] = "paused"
    run: str
    """Run id."""


class EndedEvent(_Event):
    """A run ended."""

    event: Literal["ended"] = "ended"
    run: str
    """Run id."""
    status: Status
    """How: "complete", "stopped" by the scheduler, or "failed"."""
    epochs: float
    """Epochs that it ran."""
    combined: float | None
    """The objective on dev at its best report; null when it has none on all of dev."""
    error: str | None
    """Why it failed, in a line."""


class ProgressedEvent(_Event):
    """A sign of life, at most one in ten seconds."""

    event: Literal["progressed"] = "progressed"
    ended: int
    """Trials that ended."""
    trials: int
    """Trials in all."""
    running: Mapping[str, str]
    """Run id -> what is done on it, for people."""
    seconds_left: float | None
    """How long the search will still take; null when nobody can tell."""


class WarnedEvent(_Event):
    """A warning, or an error that does not end the study."""

    event: Literal["warned"] = "warned"
    text: str
    """What is the matter."""


class ResultEvent(_Event):
    """The study is done; the last line."""

    event: Literal["result"] = "result"
    folder: str
    """The study folder."""
    model: str
    """Folder of the best model."""
    report: str
    """The report for people, Markdown."""
    replay: str
    """The command that trains the best recipe again."""
    verdict: str
    """What was found, in a sentence."""
    cautions: tuple[str, ...]
    """What speaks against it."""
    result: Mapping[str, Any]
    """What `result.json` holds."""


class ErrorEvent(_Event):
    """The command failed; the last line."""

    event: Literal["error"] = "error"
    lines: tuple[str, ...]
    """What is wrong; a study file has all its errors at once, one per line."""
    exit_code: int
    """What the command ends with: 1 failed, 2 bad input, 75 not now."""


class InterruptedEvent(_Event):
    """The command was interrupted, by Ctrl-C or SIGTERM, and ends with 130; the last line."""

    event: Literal["interrupted"] = "interrupted"
    go_on: str
    """The command that goes on."""


Event: TypeAlias = (
    StageEvent
    | PlannedEvent
    | QueuedEvent
    | BeganEvent
    | ReportedEvent
    | PausedEvent
    | EndedEvent
    | ProgressedEvent
    | WarnedEvent
    | ResultEvent
    | ErrorEvent
    | InterruptedEvent
)


def line_of(event: Event) -> str:
    """Returns an event as one line of JSON, in ASCII, without its line end."""
    # `event` first: what reads a log of many by eye finds it there.
    content = {"event": event.event} | only_finite(event.model_dump())
    return json.dumps(content, allow_nan=False)


def event_schema() -> dict[str, Any]:
    """Returns the JSON Schema (draft 2020-12) of a line."""
    one: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a line of mtl tune --json",
    }
    return head | one.json_schema(mode="serialization")
