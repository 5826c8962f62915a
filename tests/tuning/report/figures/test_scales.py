"""Axes of parameters: a log scale where the search had one, and only there."""

from dataclasses import replace

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from trials import record

from tuning.records import TrialRecord
from tuning.report.figures.drawing import log_ticks
from tuning.report.figures.parameters import scales_of
from tuning.report.figures.slices import slice_of
from tuning.report.figures.together import contour, parallel


def tried(number: int, **parameters: object) -> TrialRecord:
    return replace(record(number, "complete", 0.5 + number / 20), parameters=parameters)


# 1, 2 and 4 span little, and 1, 10 and 100 much.
RECORDS = [
    tried(at, near=near, far=far)
    for at, (near, far) in enumerate(zip((1, 2, 4, 2), (1, 10, 100, 1), strict=True))
]
SEARCHED = {"near": True, "far": False}


def test_scales_are_those_of_the_search() -> None:
    study = optuna.create_study()
    drawn = {
        "rate": FloatDistribution(1e-4, 1e-3, log=True), "weight": FloatDistribution(0.1, 10),
        "steps": IntDistribution(1, 100, log=True), "layers": IntDistribution(0, 3),
        "kind": CategoricalDistribution(["a", "b"]),
    }  # fmt: skip
    values = {"rate": 1e-3, "weight": 1.0, "steps": 10, "layers": 1, "kind": "a"}
    # A section that not all trials choose.
    some = {"inner.rate": FloatDistribution(1, 2, log=True)}
    for inside in ({}, some):
        study.add_trial(
            optuna.trial.create_trial(
                values=[0.5],
                params=values | dict.fromkeys(inside, 1.5),
                distributions=drawn | inside,
            )
        )
    # `layers` may be the place of a value in a list, and tells nothing of the values.
    assert scales_of(study) == {"rate": True, "weight": False, "steps": True, "inner.rate": True}


@pytest.mark.parametrize(("name", "kind"), [("near", "log"), ("far", None)])
def test_a_slice_has_the_scale_of_the_search(name: str, kind: str | None) -> None:
    assert slice_of(RECORDS, name, scales=SEARCHED).layout.xaxis.type == kind
    # Of what is not known the values tell.
    assert slice_of(RECORDS, name).layout.xaxis.type == ("log" if kind is None else None)


def test_no_number_of_a_log_axis_is_zero() -> None:
    # The study file's own value may lie outside of what is searched.
    records = [*RECORDS, tried(9, near=0)]
    assert slice_of(records, "near", scales=SEARCHED).layout.xaxis.type is None


def test_contours_and_parallel_axes_have_it_too() -> None:
    layout = contour(RECORDS, "far", "near", scales=SEARCHED).layout
    kinds = {axis.title.text: axis.type for axis in (layout.xaxis, layout.yaxis)}
    assert kinds == {"near": "log", "far": None}
    figure = parallel(RECORDS, ["near", "far"], scales=SEARCHED)
    axes = list(figure.layout.xaxis.ticktext)
    lines = [line for line in figure.data if line.mode == "lines"]
    # 2 lies in the middle between 1 and 4, and 10 at a tenth between 1 and 100.
    for name, between in (("near", 0.5), ("far", 9 / 99)):
        heights = {round(line.y[axes.index(name)], 6) for line in lines}
        assert sorted(heights) == pytest.approx([0, between, 1], abs=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (1e-5, 1e-2, ["1e-5", "1e-4", "1e-3", "1e-2"]),
        (2e-4, 8e-4, ["2e-4", "3e-4", "4e-4", "5e-4", "6e-4", "8e-4"]),
        (0.5, 5, ["0.5", "1", "2", "5"]),
        (1, 1000, ["1", "10", "100", "1000"]),
        # Nothing round lies between them: plotly marks what it likes.
        (2.1e-4, 2.9e-4, None),
    ],
)
def test_marks_of_a_log_axis_are_whole_numbers(
    low: float, high: float, texts: list[str] | None
) -> None:
    found = log_ticks(low, high)
    assert found.get("ticktext") == texts
    if texts is not None:
        assert found["tickvals"] == pytest.approx([float(text) for text in texts])


def test_all_log_axes_have_them() -> None:
    sliced = slice_of(RECORDS, "near", scales=SEARCHED).layout.xaxis
    crossed = contour(RECORDS, "far", "near", scales=SEARCHED).layout.yaxis
    assert sliced.ticktext == crossed.ticktext == ("1", "2", "3", "4")
