"""What is known of test, as tests of results need it."""

from collections.abc import Mapping
from dataclasses import replace

from tuning.study.history import History
from tuning.study.scored import Model, Scoring
from tuning.trainers.messages import Scored

NOTHING = Scoring()


def scoring_of(
    history: History, scored: Mapping[str, Scored], before: Scoring = NOTHING
) -> Scoring:
    """Trials that were scored, the best as it is decoded, whose model is saved as well."""
    best, scoring = history.best, before
    for run_id, found in scored.items():
        is_best = best is not None and run_id == best.id
        record = history[run_id] if is_best else history[run_id].as_trained
        scoring = scoring.with_scores(record, found)
        if is_best:
            scoring = replace(scoring, model=Model.of(record))
    return scoring
