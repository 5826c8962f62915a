"""Every kind of sampler and scheduler is read by its name; what a study takes for granted of a
scheduler. What it takes for granted of a sampler: see `test_samplers.py`."""

import random
from typing import get_args

import pytest
from curves import decisions_on, played
from pydantic import TypeAdapter
from ray import cloudpickle
from trials import report

from mtl_core.section import Section
from tuning.records import run_id_of
from tuning.search.samplers.kinds import SamplerSection
from tuning.search.schedulers.kinds import SchedulerSection
from tuning.trainers.decisions import GoOn

EPOCHS = 4


def sections(union: object) -> list[type[Section]]:
    """The classes of a union of sections, told apart by their `kind`."""
    return list(get_args(get_args(union)[0]))


def kind(section: type[Section]) -> str:
    return section.model_fields["kind"].default


SCHEDULERS = sections(SchedulerSection)
NEEDED = {"imported": {"class_path": "optuna.samplers:TPESampler"}}
"""Kind -> settings without which there is none."""


@pytest.mark.parametrize(("union", "members"), [(SamplerSection, 2), (SchedulerSection, 5)])
def test_a_kind_is_read_by_its_name_alone(union: object, members: int) -> None:
    found = sections(union)
    assert len({kind(section) for section in found}) == len(found) >= members
    for section in found:
        settings = NEEDED.get(kind(section), {})
        built = TypeAdapter(union).validate_python({"kind": kind(section), **settings})
        assert type(built) is section
        assert section.__name__.endswith("Section")
        assert section.__doc__


@pytest.mark.parametrize("section", SCHEDULERS, ids=kind)
def test_the_best_of_all_comes_to_its_end(section: type[Section]) -> None:
    scheduler = section().build(EPOCHS)
    # Each is better than all before it.
    curves = [dict.fromkeys(map(float, range(1, EPOCHS + 1)), 0.1 * run) for run in range(12)]
    told = played(scheduler, curves, trainers=2)
    assert {number for number, *_ in told} == set(range(12))
    assert max(at for number, at, _ in told if number == 11) == EPOCHS
    assert scheduler.next_paused() is scheduler.last_paused() is None
    assert scheduler.describe()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("section", SCHEDULERS, ids=kind)
def test_a_scheduler_that_is_shown_the_past_decides_as_the_one_that_lived_it(
    section: type[Section], seed: int
) -> None:
    draw = random.Random(seed)
    curves = [{n / 4: draw.random() for n in range(1, EPOCHS * 4 + 1)} for _ in range(30)]
    lived = section().build(EPOCHS)
    past = played(lived, curves[:20], trainers=3, order=draw.choice)
    lived = cloudpickle.loads(cloudpickle.dumps(lived))  # As Tune does.
    shown = section().build(EPOCHS)
    for number in sorted({number for number, *_ in past}):
        shown.begin(run_id_of(number))
    # Some are repeated, by runs that went on from an older checkpoint.
    for told in past:
        decisions_on(shown, [told, told] if draw.random() < 0.1 else [told])
        if told[1] == EPOCHS:
            shown.forget(run_id_of(told[0]))
    for number in range(20, 30):
        assert shown.next_paused() == lived.next_paused()
        for scheduler in (shown, lived):
            scheduler.begin(run_id_of(number))
        for told in [(number, *one) for one in curves[number].items()]:
            [decision] = decisions_on(lived, [told])
            assert decisions_on(shown, [told]) == [decision]
            if decision != GoOn():
                break


@pytest.mark.parametrize("section", SCHEDULERS, ids=kind)
def test_a_run_may_begin_again(section: type[Section]) -> None:
    """As one that is replayed, and then goes on after a restart."""
    scheduler, undisturbed = (section().build(EPOCHS) for _ in range(2))
    for one in (scheduler, undisturbed):
        one.begin("0001")
        one.decide("0001", report(1, 0.5))
    scheduler.begin("0001")
    scheduler.decide("0001", report(1, 0.5))
    for run_id, value in (("0002", 0.4), ("0003", 0.45), ("0004", 0.6)):
        decided = []
        for one in (scheduler, undisturbed):
            one.begin(run_id)
            decided.append(one.decide(run_id, report(1, value)))
        assert decided[0] == decided[1]
