"""What `mtl check` prints: a study, its data and its search space; imports no Optuna."""

from rich.table import Table

from mtl_core.assets import Data
from mtl_core.data.notes import shortened
from mtl_core.errors import ConfigError
from mtl_core.model.outline import encoder_outline
from mtl_core.model.trained import describe_encoder
from mtl_core.printable import one_line
from mtl_core.training.precision import describe
from tuning.cli.show_space import decoding_lines, first_points, space_table
from tuning.cluster.planner import plan_trainers, this_machine
from tuning.report.data import rows_of
from tuning.study.config import StudyFile
from tuning.study.data_facts import DataFacts, data_facts
from tuning.study.load import precision_here
from tuning.watch.console import plain_console


def show_check(study: StudyFile, data: Data) -> None:
    """Prints what a study will do."""
    console = plain_console()
    facts = data_facts(study.run, data)
    console.print(_split_table(facts), _task_table(facts))
    for note in facts.notes:
        # Unwrapped, so that a line can be searched for.
        console.print(f"{note.level}: {note.line}", soft_wrap=True)
    if study.space:
        console.print(space_table(study))
    for line in decoding_lines(study):
        console.print(line, soft_wrap=True)
    for line in first_points(study):
        console.print(line, soft_wrap=True)
    if study.knows_something:
        from tuning.study.knowing import known_of

        for line in known_of(study, facts).lines():
            console.print(line, soft_wrap=True)
    encoder = encoder_outline(study.run.encoder).encoder
    trained = describe_encoder(encoder, study.run.freezing, epoch=study.run.training.epochs)
    console.print(f"{study.run.encoder.name}: {trained}")
    console.print(_precision(study), soft_wrap=True)
    trials, epochs = study.trials, study.max_epochs
    console.print(
        f"{trials} trial{'s' if trials > 1 else ''} of up to {epochs} "
        f"epoch{'s' if epochs > 1 else ''}, "
        f"{_finals(study)}{_trainers_here(study)}; study folder {study.folder}"
    )


def _finals(study: StudyFile) -> str:
    """Returns how many runs come behind the search, to stand behind its trials."""
    return f"then up to {study.final_runs} runs of the final stage, " if study.final_runs else ""


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
        count = plan_trainers(study.study.resources, machine, trials=study.most_at_a_time)
    except ConfigError as error:
        return f"not on this machine ({error})"
    return f"{count} at a time on this machine"
