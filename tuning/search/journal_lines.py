"""The lines of Optuna's journal, as of Optuna 5.0, and what makes a journal of them.

Optuna passes over what it cannot apply: an operation on a trial that is not there is no error to
it, and a journal that lost a line would go on as another study. So each line is checked here, by
itself and against the lines before it.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from optuna.distributions import check_distribution_compatibility, json_to_distribution
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from mtl_core.kept import first_error
from mtl_core.number_types import KEPT, Count, Seconds
from tuning.search.journal_attributes import TrialAttribute
from tuning.search.journal_state import (
    COMPLETE,
    RUNNING,
    WAITING,
    JournalFormError,
    JournalState,
    TrialState,
)


def _checked_time(text: str) -> str:
    try:
        datetime.fromisoformat(text).astimezone()  # As Optuna reads it.
    except OverflowError as error:
        raise ValueError(f"expected a time, found '{text[:40]}'") from error
    return text


_PARENTS = "Sampler:parent:"
"""In the key under which Optuna's genetic samplers keep the parents of a generation."""

Time = Annotated[str, AfterValidator(_checked_time)]
Nothing = Annotated[dict[str, Any], Field(max_length=0)]


class _Line(BaseModel):
    model_config = KEPT
    worker_id: str

    def apply(self, study: JournalState) -> None:
        """Checks the line against those before it, and adds it to them.

        Raises:
            JournalFormError: It cannot stand here.
        """
        raise NotImplementedError


class _OfStudy(_Line):
    study_id: Literal[0]


class _OfTrial(_Line):
    trial_id: Count


class _StudyAttribute(BaseModel):
    """What `tuning.study.clock` keeps."""

    model_config = KEPT
    seconds: Seconds


class CreateStudy(_Line):
    """The first line."""

    op_code: Literal[0]
    study_name: str
    directions: Annotated[list[Literal[2]], Field(min_length=1)]

    def apply(self, study: JournalState) -> None:
        """Makes the study."""
        if study.is_there:
            raise JournalFormError("the study was begun before")
        study.num_objectives = len(self.directions)


class SetStudyUserAttr(_OfStudy):
    """Keeps the time of the study."""

    op_code: Literal[2]
    user_attr: _StudyAttribute

    def apply(self, study: JournalState) -> None:
        """Changes nothing that lines hang on."""


class SetStudySystemAttr(_OfStudy):
    """Keeps the names of several objectives, or what a sampler has chosen for trials to come."""

    op_code: Literal[3]
    system_attr: Annotated[dict[str, Any], Field(min_length=1, max_length=1)]

    def apply(self, study: JournalState) -> None:
        """Asks that names are texts, and that trials which are to be parents have begun."""
        [(key, value)] = self.system_attr.items()
        found = value if isinstance(value, list) else [None]
        if key == "study:metric_names":
            if len(found) < 2 or not all(isinstance(name, str) for name in found):
                raise JournalFormError(f"{key}: expected the names of several objectives")
        elif _PARENTS in key:
            for trial in found:
                if not isinstance(trial, int) or not 0 <= trial < len(study.trials):
                    raise JournalFormError(f"{key}: expected trials that were begun")


class _Queued(_OfStudy):
    """What Optuna also writes of a trial that it queues: that there is nothing yet."""

    value: None = None
    values: None = None
    distributions: Nothing = {}
    params: Nothing = {}
    user_attrs: Nothing = {}
    intermediate_values: Nothing = {}


class CreateTrial(_Queued):
    """Begins a trial, or queues one."""

    op_code: Literal[4]
    datetime_start: Time | None
    state: Literal[0, 4] = 0
    system_attrs: dict[str, Any] = {}

    def apply(self, study: JournalState) -> None:
        """Adds the trial."""
        study.trials.append(TrialState(self.state))


class SetTrialParam(_OfTrial):
    """Keeps a value that was drawn."""

    op_code: Literal[5]
    param_name: str
    param_value_internal: float
    distribution: str

    def apply(self, study: JournalState) -> None:
        """Adds the value."""
        trial = study.trial(self.trial_id)
        if self.param_name in trial.parameters:
            raise JournalFormError(f"{self.param_name} was drawn before")
        trial.parameters.add(self.param_name)
        try:
            distribution = json_to_distribution(self.distribution)
            distribution.to_external_repr(self.param_value_internal)
            first = study.distributions.setdefault(self.param_name, distribution)
            check_distribution_compatibility(first, distribution)
        # Whatever Optuna raises over what it has not written.
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise JournalFormError(f"{self.param_name}: not a value of its distribution") from error


class SetTrialStateValues(_OfTrial):
    """Ends a trial, or begins one that was queued."""

    op_code: Literal[6]
    state: Literal[0, 1, 2, 3]
    values: Annotated[list[float], Field(min_length=1)] | None
    datetime_start: Time | None = None
    datetime_complete: Time | None = None

    def apply(self, study: JournalState) -> None:
        """Changes the state."""
        trial = study.trial(self.trial_id, WAITING if self.state == RUNNING else RUNNING)
        if self.state == RUNNING and self.datetime_start is None:
            raise JournalFormError(f"trial {self.trial_id} has no time of its beginning")
        if self.state != RUNNING and self.datetime_complete is None:
            raise JournalFormError(f"trial {self.trial_id} has no time of its end")
        if self.state == COMPLETE and self.values is None:
            raise JournalFormError(f"trial {self.trial_id} is complete without a value")
        if self.values is not None and len(self.values) != study.num_objectives:
            raise JournalFormError(
                f"trial {self.trial_id} has {len(self.values)} values in a study of "
                f"{study.num_objectives}"
            )
        trial.state = self.state


class SetTrialIntermediateValue(_OfTrial):
    """Keeps the best value so far."""

    op_code: Literal[7]
    step: Count
    intermediate_value: float

    def apply(self, study: JournalState) -> None:
        """Adds the step."""
        trial = study.trial(self.trial_id)
        if self.step in trial.steps:
            raise JournalFormError(f"step {self.step} was reported before")
        trial.steps.add(self.step)


class SetTrialUserAttr(_OfTrial):
    """Keeps what `tuning.search.points` wants to know of a trial."""

    op_code: Literal[8]
    user_attr: TrialAttribute

    def apply(self, study: JournalState) -> None:
        """Asks that the trial runs, and for one key: Optuna takes no other number."""
        study.trial(self.trial_id)
        if len(self.user_attr.model_fields_set) != 1:
            raise JournalFormError("user_attr: expected one key")


class SetTrialSystemAttr(_OfTrial):
    """Keeps what Optuna wants to know of a trial."""

    op_code: Literal[9]
    system_attr: Annotated[dict[str, Any], Field(min_length=1, max_length=1)]

    def apply(self, study: JournalState) -> None:
        """Asks that the trial runs."""
        study.trial(self.trial_id)


_LINE: TypeAdapter[_Line] = TypeAdapter(
    Annotated[
        CreateStudy
        | SetStudyUserAttr
        | SetStudySystemAttr
        | CreateTrial
        | SetTrialParam
        | SetTrialStateValues
        | SetTrialIntermediateValue
        | SetTrialUserAttr
        | SetTrialSystemAttr,
        Field(discriminator="op_code"),
    ]
)
"""Without what a study never does: delete itself, and keep settings of pruners."""
_RECORD = b'{"op_code"'
"""How a line begins. It stands nowhere else in one: in a text its quotes would be escaped."""


class JournalLines:
    """Checks the lines of one journal, one after the other."""

    def __init__(self) -> None:
        self.count = 0
        """Lines that were checked."""
        self._study = JournalState()
        self._last = b""

    def check(self, line: bytes) -> None:
        """Checks the next line.

        Raises:
            JournalFormError: It is not of the known form, or cannot follow the lines before it.
        """
        if line == self._last:  # Each has the time of its writing, or is written once.
            raise JournalFormError("it is the line before once more")
        try:
            found = _LINE.validate_json(line, strict=True)
        except ValidationError as error:
            raise JournalFormError(first_error(line, error)) from error
        found.apply(self._study)
        if not self._study.is_there:
            raise JournalFormError("the study was not begun; lines before it are missing")
        self._last = line
        self.count += 1


def check_unfinished(end: bytes) -> None:
    """Refuses an end of a journal, behind its last line end, that is more than half a line.

    A killed driver leaves the beginning of one line, a power failure zeros in its place.

    Raises:
        JournalFormError: There are several lines in it.
    """
    if end.count(_RECORD) > 1:
        raise JournalFormError("lines without line ends")
