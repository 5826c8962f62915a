"""`check_task`: checks that a kind of task of your own keeps the contract of `mtl_core.tasks`.

Needs neither pytest nor a pretrained encoder: `check_task` makes a tokenizer from the words of the
examples, and random vectors for its sub-words.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import torch

from mtl_core.data.example import Example
from mtl_core.data.words import Cut
from mtl_core.error_counts import joined
from mtl_core.kept import as_kept
from mtl_core.scores import only_finite
from mtl_core.task_errors import TaskErrors
from mtl_core.tasks.base import Head, Task, TaskSection
from mtl_core.tasks.outcome import Decoded, Outcome
from mtl_core.tasks.outputs import TextView, to_plain, to_text
from mtl_core.tasks.row_texts import RowTexts
from mtl_core.testing_bench import MAX_LENGTH, Answers, Bench, GoesOn, must


def check_task(section: TaskSection, examples: Sequence[Example], *, name: str = "task") -> None:
    """Takes a kind of task through all that a run, a saved model and a predictor ask of it.

    Args:
        section: Its settings; data sets are not read, so `dataset` may be any name.
        examples: A few texts, with labels in `section.column`; some without, if that is allowed.
        name: The task's name.

    Raises:
        AssertionError: It breaks the contract; the message says where and how.
        DataError: The examples are none for this kind.
    """
    # The caller's random numbers stay as they were, and every call draws the same weights.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        # What writes has to do so for decoders as well as for encoder-decoders.
        for writer in (Answers, GoesOn) if section.writes else (None,):
            bench = Bench.of(section, examples, name, writer)
            _check_loss(bench)
            _check_decode(bench)
            _check_scores(bench)
            _check_errors(bench)
            if bench.task.speaks and bench.task.writing is None:
                _check_says(bench, examples)


def _check_loss(bench: Bench) -> None:
    batch = bench.batch(bench.every)
    loss = bench.loss(batch)
    must(loss.shape == (), f"loss_sum: expected a scalar, found the shape {tuple(loss.shape)}")
    must(bool(loss.isfinite()), f"loss_sum: the loss is {loss.item()}")
    # A mean over the batch, or padding that counts, shows when rows stand alone.
    single = torch.stack([bench.loss(bench.batch(np.array([row]))) for row in bench.every]).sum()
    must(
        torch.allclose(loss, single, rtol=1e-3, atol=1e-5),
        "loss_sum: expected the sum over the labels, so that a batch has the loss of its rows one "
        f"by one; found {loss.item():g} and {single.item():g}",
    )
    loss.backward()  # type: ignore[no-untyped-call]
    for name, parameter in bench.head.named_parameters():
        must(parameter.grad is not None, f"loss_sum: the parameter '{name}' has no gradient")
    # A worker whose share of a batch is empty still takes part in the exchange of gradients.
    nothing = bench.loss(batch.without_labels(bench.split.labels.columns))
    must(
        nothing.requires_grad and nothing.item() == 0,
        f"loss_sum: expected 0 without labels, joined to the parameters; found {nothing}",
    )


def _check_decode(bench: Bench) -> None:
    whole = _decoded(bench, bench.head)
    for row in bench.every:
        batch = bench.batch(np.array([row]))
        with torch.no_grad():
            found = bench.head.decode(bench.logits(batch), batch)
        must(len(found) == 1, f"decode: expected one entry per row, found {len(found)} for 1")
        must(
            # Not bit for bit: other shapes of a batch are summed in another order.
            np.allclose(whole[row], found[0], rtol=1e-3, atol=1e-5, equal_nan=True),
            f"decode: row {row} has {whole[row]} in a batch and {found[0]} alone; what is said of "
            "a row must not depend on the others",
        )


def _check_scores(bench: Bench) -> None:
    task, head = bench.task, bench.head
    gold = bench.split.gold(task.name)
    # In the order of an evaluation: `score` may only see what `calibrate` and `finish` have set.
    outcome = task.collect(Outcome(_decoded(bench, head), gold, bench.split.source))
    task.calibrate(head, outcome)
    finished = task.finish(head, outcome)
    scores = task.score(finished)
    must(task.main_score in scores, f"score: '{task.main_score}' is not in {sorted(scores)}")
    first = next(iter(scores))
    # Whoever has the scores alone, such as a report, takes the first for the main one.
    must(first == task.main_score, f"score: the first is '{first}', not '{task.main_score}'")
    main = scores[task.main_score]
    # NaN where there is nothing to score, such as texts that are not written here.
    is_more = main > 1
    must(not is_more, f"score: '{task.main_score}' is {main}; expected at most 1, higher = better")
    _check_rescore(task, finished)
    # Objectives ask with an empty outcome whether the kind knows right from wrong at all.
    for which in (finished, Outcome([], [])):
        right = task.is_right(which)
        shape = None if right is None else right.shape
        must(
            shape in (None, (len(which.predicted),)),
            f"is_right: expected None or one truth value per row, found the shape {shape}",
        )
    # What a saved model is: a new head with the weights of the old one.
    again = task.make_head(bench.size).eval()
    again.load_state_dict(head.state_dict())
    loaded = task.collect(Outcome(_decoded(bench, again), gold, bench.split.source))
    must(
        str(task.score(task.finish(again, loaded))) == str(scores),
        "make_head: a head with the same state_dict scores differently; what `calibrate` sets has "
        "to be a parameter or buffer",
    )


def _check_errors(bench: Bench) -> None:
    task, split = bench.task, bench.split
    batch = bench.batch(bench.every)
    with torch.no_grad():
        read = task.read(bench.head, bench.logits(batch), batch)
    outcome = Outcome(read, split.gold(task.name), split.source)
    found = task.errors(bench.head, outcome, RowTexts(split, bench.tokenizer))
    if found is None:
        return
    must(
        found.wrong is None or found.wrong <= found.rows <= len(split),
        f"errors: {found.wrong} of {found.rows} are wrong, and there are {len(split)} rows",
    )
    for one in found.labels.each if found.labels is not None else ():
        must(
            one.right <= min(one.gold, one.guessed),
            f"errors: label '{one.label}' is right {one.right} times, of {one.gold} times that it "
            f"is there and {one.guessed} that it was given",
        )
    values = [row.value for row in found.worst]
    must(values == sorted(values, reverse=True), f"errors: the worst row comes first; {values}")
    # As a saved model has them.
    kept = joined({"data": found})
    again = as_kept(
        json.dumps(only_finite(asdict(kept))).encode(), TaskErrors, where="errors", remedy=""
    )
    must(str(again) == str(kept), f"errors: found {again} where {kept} was written")


def _check_rescore(task: Task, outcome: Outcome) -> None:
    rescore = task.rescore(outcome)
    if rescore is None:
        return
    count = len(outcome.predicted)
    drawn = np.random.default_rng(0).multinomial(count, [1 / count] * count, size=4)
    draws = np.vstack([np.ones(count), drawn])
    found = rescore(draws)
    must(found.shape == (5,), f"rescore: expected one score per draw, found {found.shape}")
    for draw, score in zip(draws.astype(np.int64), found.tolist(), strict=True):
        expected = task.score(outcome.drawn(draw))[task.main_score]
        must(
            bool(np.isclose(score, expected, rtol=1e-6, atol=1e-9, equal_nan=True)),
            f"rescore: {score} where `score` says {expected} of the same rows, drawn {draw} times",
        )


def _check_says(bench: Bench, examples: Sequence[Example]) -> None:
    # As the predictor has them: without columns and labels.
    split = bench.layout.encode(examples, bench.tokenizer, (), {}, max_length=MAX_LENGTH)
    batch = bench.collator(split, np.arange(len(split)), seed=())
    with torch.no_grad():
        logits = bench.logits(batch)
    read = bench.task.read(bench.head, logits, batch)
    must(len(read) == len(split), f"read: expected {len(split)} entries, found {len(read)}")
    texts = [_view(example) for example in examples]
    said = bench.task.says(bench.head, read, texts, split.source)
    must(len(said) == len(texts), f"says: expected {len(texts)} outputs, found {len(said)}")
    for output in said:
        to_text(output)
        try:
            json.dumps(to_plain(output))
        except TypeError as error:
            raise AssertionError(f"says: {output!r} does not become JSON: {error}") from error


def _decoded(bench: Bench, head: Head) -> list[Decoded]:
    batch = bench.batch(bench.every)
    with torch.no_grad():
        found = head.decode(bench.logits(batch, head), batch)
    count = len(bench.split)
    must(len(found) == count, f"decode: expected one entry per row, {count}, found {len(found)}")
    return found


def _view(example: Example) -> TextView:
    text = " ".join(example.words)
    return TextView(text, Cut().places(text), example.second)
