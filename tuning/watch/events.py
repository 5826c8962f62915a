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


class Stage(_Event):
    """A new stage of the study began, such as "starting 2 trainers" or "scoring on test"."""

    event: Literal["stage"] = "stage"
    text: str
    """What is done."""


class Planned(_Event):
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


class Queued(_Event):
    """Runs that are no trials are to be trained, those of the final stage for instance."""

    event: Literal["queued"] = "queued"
    runs: tuple[str, ...]
    """Their run ids."""
    ended: int
    """How many of them ended in earlier sessions."""


class Began(_Event):
    """A run began, or goes on after a pause or a restart."""

    event: Literal["began"] = "began"
    run: str
    """Run id: "0007" is a trial, one with a "/" a run of another stage."""
    parameters: Mapping[str, Any]
    """Dotted key of `run` -> value in effect."""


class Reported(_Event):
    """A run reports: at the end of an epoch, or within it."""

    event: Literal["reported"] = "reported"
    run: str
    """Run id."""
    number: int
    """Which of its reports, from 1."""
    epochs: float
    """Epochs done."""
    seconds: float
    """Wall time since the report before."""
    is_sample: bool
    """Whether it was scored on a sample of dev alone."""
    combined: float | None
    """The objective on dev; null when it is no number."""
    joint_accuracy: float | None
    """Share of dev sentences with every labelled task right, in [0, 1]."""
    dev: Mapping[str, Mapping[str, float | None]]
    """Task -> score -> value."""
    losses: Mapping[str, float | None]
    """Task -> mean training loss of the epoch so far."""


class Paused(_Event):
    """A trial left its trainer; it may go on later."""

    event: Literal["paused"] = "paused"
    run: str
    """Run id."""


class Ended(_Event):
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


class Progressed(_Event):
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


class Warned(_Event):
    """A warning, or an error that does not end the study."""

    event: Literal["warned"] = "warned"
    text: str
    """What is the matter."""


class Result(_Event):
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


class Error(_Event):
    """The command failed; the last line."""

    event: Literal["error"] = "error"
    lines: tuple[str, ...]
    """What is wrong; a study file has all its errors at once, one per line."""
    exit_code: int
    """What the command ends with: 1 failed, 2 bad input, 75 not now."""


class Interrupted(_Event):
    """The command was interrupted, by Ctrl-C or SIGTERM, and ends with 130; the last line."""

    event: Literal["interrupted"] = "interrupted"
    go_on: str
    """The command that goes on."""


Event: TypeAlias = (
    Stage
    | Planned
    | Queued
    | Began
    | Reported
    | Paused
    | Ended
    | Progressed
    | Warned
    | Result
    | Error
    | Interrupted
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
