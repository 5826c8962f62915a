"""`mtl check`: a study file, its search space and its data; nothing is trained."""

from tuning.cli.options import Set, Study


def check(study: Study, assignments: Set = None) -> None:
    """Check a study file, its search space and its data; train nothing."""
    from tuning.cli.arguments import check_text

    check_text(study)
    # The imports of seconds are below, inside of the sign of life.
    from tuning.watch.waiting import waiting

    with waiting("reading the study file and its data"):
        from tuning.cli.show_check import show_check
        from tuning.study.load import check_data, load_study
        from tuning.study.search_check import tell_doubts

        loaded = load_study(study, assignments or ())
        data = check_data(loaded)
    show_check(loaded, data)
    tell_doubts(loaded)
