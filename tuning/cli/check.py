"""`mtl check`: a study file, its search space and its data; what the study will take."""

from typing import Annotated

import typer

from tuning.cli.options import Set, Study

Estimate = Annotated[
    bool,
    typer.Option(
        "--estimate",
        help="Trains a few steps of some recipes here, and says what the study will take: epochs, "
        "time and disk.",
    ),
]


def check(study: Study, assignments: Set = None, estimate: Estimate = False) -> None:
    """Check a study file, its search space and its data; nothing is kept of it."""
    from tuning.cli.arguments import check_text

    check_text(study)
    # The imports of seconds are below, inside of the sign of life.
    from tuning.watch.waiting import waiting

    with waiting("reading the study file and its data"):
        from tuning.cli.show_check import show_check
        from tuning.study.load import check_data, check_loggers, load_study
        from tuning.study.search_check import tell_doubts
        from tuning.watch.console import plain_console

        loaded = load_study(study, assignments or ())
        check_loggers(loaded)
        data = check_data(loaded)
    show_check(loaded, data)
    tell_doubts(loaded)
    if estimate:
        with waiting("timing a few steps of some recipes"):
            from tuning.cli.show_estimate import estimate_lines
            from tuning.estimate.estimate import estimate_study

            found = estimate_study(loaded)
        for line in estimate_lines(found, loaded.study.scheduler.kind):
            plain_console().print(line, soft_wrap=True)
