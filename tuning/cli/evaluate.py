"""`mtl evaluate`: the scores of a saved model."""

from typing import Annotated

import typer

from tuning.cli.options import Model, TrustCode


def evaluate(
    model: Model,
    split: Annotated[str, typer.Option(help="Split to score: test or dev.")] = "test",
    trust_code: TrustCode = False,
) -> None:
    """Score a saved model on the data it was trained for."""
    from tuning.cli.arguments import model_folder

    folder = model_folder(model, trust_code=trust_code)
    from tuning.watch.waiting import waiting

    # Over at the end of the block, before anything is printed on stdout.
    with waiting(f"scoring on {split}"):
        from mtl_core.scoring import evaluate_model
        from tuning.cli.show import show_evaluation

        evaluation = evaluate_model(folder, split=split, trust_code=trust_code)
    show_evaluation(evaluation, split)
