"""`mtl schema`: the JSON Schema of study files, which editors check and complete by."""

from pathlib import Path
from typing import Annotated

import typer


def schema(
    output: Annotated[Path | None, typer.Option(help="File to write; default: stdout.")] = None,
    events: Annotated[
        bool, typer.Option("--events", help="That of a line of `mtl tune --json` instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of study files, for editors and other tools."""
    import json

    if events:
        from tuning.watch.events import event_schema as schema_of
    else:
        from tuning.study.schema import study_schema as schema_of

    text = json.dumps(schema_of(), indent=1, ensure_ascii=False) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    from mtl_core.errors import ConfigError
    from mtl_core.files import write_text

    try:
        write_text(output, text)
    except OSError as error:
        raise ConfigError(f"{output}: cannot write the file: {error.strerror}") from error
