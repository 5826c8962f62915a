"""`mtl evaluate`: the scores of a saved model."""

from typing import Annotated

import typer

from tuning.cli.options import BatchSize, Device, Model, TrustCode


def evaluate(
    model: Model,
    split: Annotated[str, typer.Option(help="Split to score: test or dev.")] = "test",
    file: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[DATA SET=]FILE",
            help="Scores another file, read by the settings of a data set of the model.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    device: Device = None,
    batch_size: BatchSize = None,
    trust_code: TrustCode = False,
) -> None:
    """Score a saved model on the data it was trained for, or on another file."""
    from tuning.cli.arguments import files_by_dataset, model_folder

    folder = model_folder(model, trust_code=trust_code)
    from tuning.watch.waiting import waiting

    # Over at the end of the block, before anything is printed on stdout.
    with waiting("scoring" if file else f"scoring on {split}"):
        from mtl_core.predictor import Predictor
        from mtl_core.scoring import score

        predictor = Predictor.load(folder, trust_code=trust_code, device=device)
        files = files_by_dataset(file or (), predictor.config.datasets)
        evaluation = score(predictor, split=split, files=files, batch_size=batch_size)
    from tuning.cli.show_scores import evaluation_json, show_evaluation

    if as_json:
        typer.echo(evaluation_json(evaluation, "file" if file else split))
    else:
        show_evaluation(evaluation, "file" if file else split)
