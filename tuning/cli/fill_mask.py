"""`mtl fill-mask`: words for the masks of texts."""

import json
import sys
from typing import Annotated

import typer

from tuning.cli.options import Model, TrustCode


def fill_mask(
    model: Model,
    texts: Annotated[
        list[str] | None,
        typer.Argument(help="Texts with the model's mask, such as [MASK]; default: stdin."),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="Words for each mask.")] = 5,
    task: Annotated[
        str | None, typer.Option(help="A masked_lm task of the model, where it has several.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    trust_code: TrustCode = False,
) -> None:
    """Fill the masks of texts, with a model that has a masked_lm task."""
    from mtl_core.data.formats.text_files import lines_of

    texts = texts or lines_of(sys.stdin.buffer.read(), "stdin")
    from tuning.cli.arguments import model_folder

    folder = model_folder(model, trust_code=trust_code)
    from tuning.watch.waiting import waiting

    with waiting("loading the model, filling masks"):
        from mtl_core.fill_mask import fill_masks
        from mtl_core.predictor import Predictor

        predictor = Predictor.load(folder, trust_code=trust_code)
        filled = [fill_masks(predictor, text, top_k=top_k, task=task) for text in texts]
    from mtl_core.printable import one_line, printable_json
    from mtl_core.scores import only_finite

    # Both are safe on a terminal: JSON escapes what steers it, lines for people spell it out.
    for text, masks in zip(texts, filled, strict=True):
        if as_json:
            record = only_finite({"text": text, "masks": [mask.to_plain() for mask in masks]})
            typer.echo(printable_json(json.dumps(record, ensure_ascii=False, allow_nan=False)))
        else:
            typer.echo("\n  ".join([one_line(text), *map(str, masks)]))
