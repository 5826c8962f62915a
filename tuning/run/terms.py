"""What trainers are told of a study: its recipe, its objective, what is searched on its models."""

from tuning.search.decoding import SpaceProposer
from tuning.study.config import StudyFile
from tuning.trainers.worker import StudyTerms


def terms_of(study: StudyFile) -> StudyTerms:
    """Returns what all runs of a study have in common."""
    return StudyTerms(
        study.run.model_dump(mode="json"),
        study.study.objective,
        times_predictions=study.study.constraints.ms_per_sentence is not None,
        decoding=proposer_of(study),
    )


def proposer_of(study: StudyFile) -> SpaceProposer | None:
    """Returns what is searched on trained models without training; None = nothing."""
    entries, tries = study.decoding_entries, study.study.decoding_tries
    if not entries:
        return None
    return SpaceProposer(entries, own=study.own_decoding, tries=tries)
