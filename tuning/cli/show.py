"""What the commands print at their end: the check, the result of a study."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from mtl_core.assets import Data
from mtl_core.data.notes import shortened
from mtl_core.errors import ConfigError
from mtl_core.model.outline import encoder_outline
from mtl_core.model.trained import describe_encoder
from mtl_core.printable import one_line
from mtl_core.scores import flatten, show_score
from mtl_core.training.precision import describe
from tuning.cluster.planner import plan_trainers, this_machine
from tuning.report.data import rows_of
from tuning.report.verdict import UNSEEN, against, cautions, on_test, verdict
from tuning.space.space import Parameter
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts, data_facts
from tuning.study.load import precision_here
from tuning.watch.console import plain_console

if TYPE_CHECKING:
    from tuning.study.result import FinalScores, Result, StudyResult


def show_check(study: StudyFile, data: Data) -> None:
    """Prints what a study will do."""
    console = plain_console()
    space = Table("parameter", "values", "default", title="Search space")
    defaults = study.default_parameters
    for parameter in study.space.parameters:
        space.add_row(parameter.name, _domain(parameter), str(defaults.get(parameter.name, "-")))
    facts = data_facts(study.run, data)
    console.print(_split_table(facts), _task_table(facts))
    for note in facts.notes:
        # Unwrapped, so that a line can be searched for.
        console.print(f"{note.level}: {note.line}", soft_wrap=True)
    console.print(space)
    encoder = encoder_outline(study.run.encoder.name, revision=study.run.encoder.revision).encoder
    trained = describe_encoder(encoder, study.run.freezing, epoch=study.run.training.epochs)
    console.print(f"{study.run.encoder.name}: {trained}")
    console.print(_precision(study), soft_wrap=True)
    trials = study.trials
    console.print(
        f"{trials} trial{'s' if trials > 1 else ''} of up to {study.max_epochs} epochs, "
        f"{_trainers_here(study)}; study folder {study.folder}"
    )


def _split_table(facts: DataFacts) -> Table:
    splits = Table(
        "data set", "split", "rows", "sub-words: median", "95 %", "longest", "cut, %", title="Data"
    )
    for one in facts.splits:
        lengths = one.lengths
        splits.add_row(
            one.dataset,
            one.split,
            rows_of(lengths),
            *(f"{length:,}" for length in (lengths.median, lengths.high, lengths.longest)),
            f"{100 * lengths.cut / lengths.rows:.1f}",
        )
    return splits


def _task_table(facts: DataFacts) -> Table:
    # Of train: labels that only dev or test has cannot be learnt, and have a column of their own.
    labels = Table(
        "task", "kind", "rows", "labels", "most frequent", "not in train", title="Tasks, in train"
    )
    for one in facts.tasks:
        frequent = [f"{_name(name)} {count:,}" for name, count in one.frequent.items()]
        unseen = [_name(name) for name in one.unseen]
        if one.num_unseen > len(unseen):
            unseen.append(f"and {one.num_unseen - len(unseen):,} more")
        labels.add_row(
            one.task,
            one.kind,
            f"{one.rows:,}",
            str(one.labels or "-"),
            "\n".join(frequent) or "-",
            ", ".join(unseen) or "-",
        )
    return labels


def _name(label: str) -> str:
    return one_line(shortened(label))


def _precision(study: StudyFile) -> str:
    wanted, choice = study.run.training.precision, precision_here(study)
    if choice is None:
        return f"precision: {wanted}, on GPUs that this machine does not have"
    return describe(wanted, choice)


def _trainers_here(study: StudyFile) -> str:
    """Returns how many trials run at a time; what is meant for a cluster may not fit here."""
    try:
        machine = [this_machine()]
        count = plan_trainers(study.study.resources, machine, trials=study.trials)
    except ConfigError as error:
        return f"not on this machine ({error})"
    return f"{count} at a time on this machine"


def show_result(result: "StudyResult") -> None:
    """Prints the best recipe, its scores, and how to go on from here."""
    console = plain_console()
    best, default = result.best, result.default
    if best is None:
        return
    recipe = Table("parameter", "best", "default", title=f"Best recipe: trial {best.trial}")
    # A dict as an ordered set: of a conditional space each recipe may have keys of its own.
    for name in dict.fromkeys([*best.parameters, *(default.parameters if default else {})]):
        theirs = default.parameters.get(name, "-") if default else "-"
        recipe.add_row(name, _number(best.parameters.get(name, "-")), _number(theirs))
    scores = Table("score, %", "best dev", "default dev", "best test", "default test")
    columns = [
        _scores(best, "dev"),
        _scores(default, "dev"),
        _scores(best, "test"),
        _scores(default, "test"),
    ]
    # Rows are the scores of the best on dev; what another column lacks is "-".
    for name in columns[0]:
        scores.add_row(name, *(show_score(name, column.get(name)) for column in columns))
    console.print(recipe, scores)
    for text in _judgement(result.result):
        console.print(text, soft_wrap=True)
    counts = result.trials["status"].value_counts().to_dict()
    console.print(
        f"{len(result.trials)} trials ({', '.join(f'{n} {s}' for s, n in counts.items())}) "
        f"in {result.seconds / 60:.1f} minutes"
    )
    for what, command in (
        ("model", str(result.folder / "best")),
        ("report", str(result.folder / "report.md")),
        ("replay", result.replay),
        ("predict", f'mtl predict {result.folder} "some text"'),
        ("curves", f"tensorboard --logdir {result.folder / 'tensorboard'}"),
    ):
        # Unwrapped, so that a command can be copied from a narrow terminal.
        console.print(f"{what + ':':9}{command}", soft_wrap=True)


def _judgement(result: "Result") -> Iterator[str]:
    yield verdict(result)
    yield from cautions(result)
    found = on_test(result.best, result.default) if result.best and result.default else None
    # Scores on all of test stand in the table.
    if found is not None and found.where == UNSEEN:
        yield against(found.where, found.best, found.default)


def _scores(final: "FinalScores | None", split: str) -> dict[str, float]:
    tree = (final.dev if split == "dev" else final.test) if final is not None else None
    return flatten(tree)


def _number(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _domain(parameter: Parameter) -> str:
    if parameter.low is None:  # A choice; a range has both ends.
        return ", ".join(str(option) for option in parameter.options)
    scale = " (log)" if parameter.log else ""
    return f"{_number(parameter.low)} to {_number(parameter.high)}{scale}"
