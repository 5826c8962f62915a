"""`mtl predict`: what a saved model says of texts."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtl_core.errors import ConfigError
from tuning.cli.options import Model, TrustCode

if TYPE_CHECKING:
    from mtl_core.prediction import Prediction


def predict(
    model: Model,
    texts: Annotated[list[str] | None, typer.Argument(help="Texts; default: stdin.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with one text a line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    trust_code: TrustCode = False,
) -> None:
    """Predict all tasks for texts, for a file, or for what comes in on stdin.

    A tab parts the sentences of a pair, or a question from its context.
    """
    from mtl_core.data.formats.text_files import lines_of, read_lines

    if texts and file:
        raise ConfigError("--file: give texts or a file, not both")
    # Bytes from stdin, read as a file is: UTF-8, with an error that names the line. `sys.stdin`
    # would decode by the locale.
    if file is not None:
        texts = read_lines(file)
    elif not texts:
        texts = lines_of(sys.stdin.buffer.read(), "stdin")
    from tuning.cli.arguments import model_folder, pair

    folder = model_folder(model, trust_code=trust_code)
    from tuning.watch.waiting import waiting

    with waiting("loading the model, predicting"):
        from mtl_core.predictor import Predictor

        predictor = Predictor.load(folder, trust_code=trust_code)
        # For a model of single sentences a tab is a character like others.
        pairs = [pair(text) for text in texts] if predictor.takes_pairs else texts
        predictions = predictor(pairs)
    # Both are safe on a terminal: JSON escapes what steers it, lines for people spell it out.
    for prediction in predictions:
        typer.echo(prediction.to_json() if as_json else readable(prediction))


def readable(prediction: "Prediction") -> str:
    """Returns a prediction as lines of text: the input, then a line per task."""
    from mtl_core.printable import one_line
    from mtl_core.tasks.outputs import to_text

    lines = (f"  {task}: {to_text(output)}" for task, output in prediction.items())
    texts = [one_line(text) for text in (prediction.text, prediction.text_pair) if text]
    return "\n".join(["\t".join(texts), *lines])
