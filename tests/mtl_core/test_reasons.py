"""Reasons, of real errors: what is expected is what a reader would point at."""

import traceback
from collections.abc import Callable

import pydantic
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mtl_core.reasons import reason_in, reason_of


class Settings(pydantic.BaseModel):
    size: int
    share: float


class Rows(Dataset[int]):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, place: int) -> int:
        raise LookupError(f"row {place} has no text\nit came from a file")


def plain() -> None:
    raise ValueError("no such label: 'b'\nallowed: a, c\n  File \"x\", line 3")


def silent() -> None:
    raise AssertionError


def late() -> None:
    raise RuntimeError("\n\n  at last\nmore")


def from_another() -> None:
    try:
        int("x")
    except ValueError as error:
        raise RuntimeError("the size cannot be read\nit is a text") from error


def while_another() -> None:
    try:
        from_another()
    except RuntimeError:
        {}["seed"]


def noted() -> None:
    error = ValueError("one line")
    error.add_note("a note of a library")
    raise error


def many() -> None:
    raise ExceptionGroup("two of them", [ValueError("first\nsecond"), KeyError("c")])


def many_by_another() -> None:
    try:
        many()
    except ExceptionGroup as error:
        raise OSError("none of the two worked") from error


def deep(depth: int = 200) -> None:
    deep(depth - 1) if depth else plain()


def weights() -> None:
    torch.nn.Linear(2, 2).load_state_dict({"weight": torch.zeros(2, 2)})


def shapes() -> None:
    torch.zeros(2, 3) @ torch.zeros(2, 3)


def validated() -> None:
    Settings.model_validate({"size": "x", "share": "y"})


def in_a_worker() -> None:
    list(DataLoader(Rows(), num_workers=1, multiprocessing_context="fork"))


def syntax() -> None:
    compile("x = (", "study.py", "exec")


@pytest.mark.parametrize(
    ("fails", "reason"),
    [
        (plain, "ValueError: no such label: 'b'"),
        (silent, "AssertionError"),
        (late, "RuntimeError: at last"),
        (from_another, "RuntimeError: the size cannot be read"),
        (while_another, "KeyError: 'seed'"),
        (noted, "ValueError: one line"),
        (many, "ExceptionGroup: two of them (2 sub-exceptions): ValueError: first"),
        (many_by_another, "OSError: none of the two worked"),
        (deep, "ValueError: no such label: 'b'"),
        (
            weights,
            "RuntimeError: Error(s) in loading state_dict for Linear: "
            'Missing key(s) in state_dict: "bias".',
        ),
        (
            shapes,
            "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)",
        ),
        (
            validated,
            "pydantic_core._pydantic_core.ValidationError: 2 validation errors for Settings: size: "
            "Input should be a valid integer, unable to parse string as an integer "
            "[type=int_parsing, input_value='x', input_type=str]",
        ),
        (in_a_worker, "LookupError: row 0 has no text"),
        (syntax, "SyntaxError: '(' was never closed"),
    ],
)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
def test_the_reason_in_a_traceback(fails: Callable[[], None], reason: str) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011 (the table has all kinds)
        fails()
    text = "".join(traceback.format_exception(raised.value))
    assert reason_in(text) == reason
    assert reason_in(f"\n{text}\n\n") == reason


# As Ray 2.60 prints them on a terminal, with its colours.
_REMOTE = (
    "\x1b[36mray::f()\x1b[39m (pid=10776, ip=192.0.2.2)\n         ^^^^^^^^\n"
    "ValueError: invalid literal for int() with base 10: 'x'\n\n"
    "The above exception was the direct cause of the following exception:\n\n"
    "\x1b[36mray::f()\x1b[39m (pid=10776, ip=192.0.2.2)\n"
    '  File "gen.py", line 6, in f\n    raise RuntimeError("it broke") from e\n    ^^^^^\n'
    "RuntimeError: it broke\nsecond line"
)
_DIED = (
    "The actor died unexpectedly before finishing this task.\n\tclass_name: A\n\tpid: 10738\n"
    "The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR"
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (_REMOTE, "RuntimeError: it broke"),
        (
            'Traceback (most recent call last):\n  File "gen.py", line 14, in show\n    g()\n'
            f"ray.exceptions.RayTaskError(RuntimeError): {_REMOTE}",
            "RuntimeError: it broke",
        ),
        (
            f"Training failed due to worker errors:\n[Rank 0 Error Snippet]:\n{_REMOTE}",
            "RuntimeError: it broke",
        ),
        (
            f"Failure # 1 (occurred at 2026-01-01_00-00-00)\n{_DIED}\n",
            "The actor died unexpectedly before finishing this task.",
        ),
        ("ConfigError: run.size: too large\nrun.share: none", "ConfigError: run.size: too large"),
        ("its worker died 3 times", "its worker died 3 times"),
        ("\n \n", None),
        ("", None),
        ("Traceback (most recent call last):\n", None),
        ('Traceback (most recent call last):\n  File "a.py", line 1, in f\n', None),
        ("x" * 600, "x" * 497 + "..."),
        ("a\tb\x0c", "a b"),
    ],
)
def test_the_reason_in_what_else_is_kept(text: str, reason: str | None) -> None:
    assert reason_in(text) == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n one\n"), "one"),
        (TimeoutError(), "TimeoutError"),
        (OSError(2, "No such file", "a.txt"), "[Errno 2] No such file: 'a.txt'"),
    ],
)
def test_the_reason_of_an_error(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
