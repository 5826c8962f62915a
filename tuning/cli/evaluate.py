"""`mtl evaluate`: the scores of a saved model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_core.addresses import not_local
from mtl_core.errors import ConfigError
from tuning.cli.options import BatchSize, Device, Model, TrustCode

if TYPE_CHECKING:
    from mtl_core.task_errors import Errors
    from mtl_core.training.evaluation import Evaluation

Split = Annotated[
    str | None,
    typer.Option(show_default="test, with --errors dev", help="Split to score: test or dev."),
]
Files = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[DATA SET=]FILE",
        help="Scores another file, read by the settings of a data set of the model.",
    ),
]
All = Annotated[
    bool, typer.Option("--all", help="Scores every trial of a study that has a checkpoint.")
]
WithErrors = Annotated[
    bool,
    typer.Option(
        "--errors", help="Shows where the model errs as well, with its worst rows; not on test."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object.")]

_ON_THEIR_OWN = (
    "scores trials on their own data; --file, --batch-size and --errors are of a single model"
)


def evaluate(
    model: Model,
    split: Split = None,
    file: Files = None,
    every: All = False,
    errors: WithErrors = False,
    as_json: AsJson = False,
    device: Device = None,
    batch_size: BatchSize = None,
    trust_code: TrustCode = False,
) -> None:
    """Score a saved model on the data it was trained for, or on another file.

    With --all every trial of a study that has a checkpoint; on test that is written down, and the
    report says so.
    """
    if every and (file or batch_size or errors):
        raise ConfigError(f"--all: {_ON_THEIR_OWN}")
    split = _split(split, has_file=bool(file), errors=errors)
    if every:
        _evaluate_all(Path(model), split, as_json=as_json, device=device, trust_code=trust_code)
        return
    from tuning.cli.arguments import files_by_dataset, model_folder

    folder = model_folder(model, trust_code=trust_code)
    from tuning.watch.waiting import waiting

    # Over at the end of the block, before anything is printed on stdout.
    with waiting("scoring" if file else f"scoring on {split}"):
        from mtl_core.predictor import Predictor
        from mtl_core.scoring import Scoring

        predictor = Predictor.load(folder, trust_code=trust_code, device=device)
        files = files_by_dataset(file or (), predictor.config.datasets)
        scoring = Scoring.of(predictor, split=split, files=files, batch_size=batch_size)
        evaluation = scoring.scores()
        found = scoring.errors() if errors else None
    _show(evaluation, found, "file" if file else split, as_json=as_json)


def _show(evaluation: "Evaluation", errors: "Errors | None", what: str, *, as_json: bool) -> None:
    from tuning.cli.show_scores import evaluation_json, show_errors, show_evaluation

    if as_json:
        typer.echo(evaluation_json(evaluation, what, errors))
        return
    show_evaluation(evaluation, what)
    if errors is not None:
        show_errors(errors)


def _split(split: str | None, *, has_file: bool, errors: bool) -> str:
    """Returns the split to score a model on.

    Raises:
        ConfigError: Errors on test are asked for.
    """
    if errors and split == "test" and not has_file:
        raise ConfigError(
            "--errors: rows of test are not shown, as whoever has seen them chooses by them; use "
            "--split dev, or name a --file"
        )
    return split or ("dev" if errors else "test")


def _evaluate_all(
    study: Path, split: str, *, as_json: bool, device: str | None, trust_code: bool
) -> None:
    from tuning.study.folder import StudyFolder

    if wrong := not_local(study):
        raise ConfigError(f"MODEL: {wrong}")
    StudyFolder(study).check_is_study()
    from tuning.watch.waiting import waiting

    with waiting(f"scoring all trials on {split}"):
        from tuning.run.score_trials import score_trials

        trials = score_trials(study, split=split, device=device, trust_code=trust_code)
    from tuning.cli.show_scores import show_trials, trials_json

    if as_json:
        typer.echo(trials_json(trials, split))
    else:
        show_trials(trials, split)
    if split == "test":
        # On stderr, so that it is said beside JSON as well.
        typer.echo(
            f"Test was opened for {len(trials)} trials: whoever chooses among them by these scores "
            f"chooses on test. {study / 'test_opened.json'} keeps this, and the report says so.",
            err=True,
        )
