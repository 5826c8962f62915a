"""Which recipes take part in the final stage, what their runs reached, and which one is chosen."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mtl_core.study_file import override, read_document
from mtl_core.training.report import why_no_number
from tuning.goals import Goal
from tuning.records import DECODED, DEFAULT_ID, Recipe, TrialRecord
from tuning.space.parameters import look_up
from tuning.study.final_means import compared, final_recipe, mean_record
from tuning.study.finals import (
    Finals,
    FinalsSection,
    final_run_id,
)
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.scored import Scoring


@dataclass(frozen=True, slots=True)
class Finalist:
    """A recipe of the final stage.

    Attributes:
        trial: Id of the trial that found it.
        recipe: What the trial was trained with up to its best report.
        is_decoded: Whether its runs are decoded with settings that are found on their models.
    """

    trial: str
    recipe: Recipe
    is_decoded: bool = False

    @property
    def id(self) -> str:
        """What it is known by, see `FinalRecipe.id`."""
        return f"{self.trial}{DECODED}" if self.is_decoded else self.trial

    def run(self, seed: int) -> TrialRecord:
        """Returns its run with a seed, as it is before it has begun."""
        overrides, parameters = self.recipe
        run_id = final_run_id(self.trial, seed)
        return TrialRecord(run_id, "interrupted", dict(parameters), {**overrides, "seed": seed})


@dataclass(frozen=True, slots=True)
class Contest:
    """What the final stage of a study consists of.

    Attributes:
        finalists: The recipes, the best of the search first, the default last where it is none of
            the best.
        seeds: With which each is trained.
        run: The resolved `run` section as plain data.
        goal: By what they are compared.
    """

    finalists: Sequence[Finalist]
    seeds: Sequence[int]
    run: Mapping[str, object]
    goal: Goal

    @property
    def runs(self) -> list[TrialRecord]:
        """All runs, as they are before they have begun, each once."""
        every = (one.run(seed) for one in self.finalists for seed in self.seeds)
        return list({record.id: record for record in every}.values())

    def read(self, folder: StudyFolder) -> dict[str, TrialRecord]:
        """Returns run id -> what the study folder tells of the runs.

        Raises:
            BrokenError: A file in it is broken.
        """
        return {record.id: self._read(folder, record) for record in self.runs}

    def _read(self, folder: StudyFolder, record: TrialRecord) -> TrialRecord:
        reports, error = folder.read_reports(record.id), folder.read_error(record.id)
        wrong = [reason for one in reports if (reason := why_no_number(one)) is not None]
        seconds = sum(report.seconds for report in reports)
        record = replace(record, reports=reports, seconds=seconds)
        if error is not None:
            return replace(record, status="failed", error=error)
        if not reports or record.progress < _epochs(folder, record.id):
            return record
        # As its recorder has it, which may have been killed before it wrote that down.
        if wrong:
            return replace(record, status="failed", error=wrong[0])
        return replace(record, status="complete")

    def ranked(self, runs: Mapping[str, TrialRecord]) -> list[Finalist]:
        """Returns the recipes that have a score, the best first, by the means over their runs.

        One of which runs failed stands behind those of which fewer did.

        Args:
            runs: Run id -> what is known of it.
        """
        means: dict[int, list[TrialRecord]] = {}
        for finalist in self.finalists:
            scored, failed = self.outcome(finalist, runs)
            if scored:
                means.setdefault(len(failed), []).append(mean_record(finalist.id, scored))
        by_id = {finalist.id: finalist for finalist in self.finalists}
        order = [one for _, group in sorted(means.items()) for one in self.goal.ranked(group)]
        return [by_id[record.id] for record in order]

    def outcome(
        self, finalist: Finalist, runs: Mapping[str, TrialRecord]
    ) -> tuple[list[TrialRecord], list[TrialRecord]]:
        """Returns the runs of a recipe that ended with a score, as decoded, and those that failed.

        Args:
            finalist: The recipe.
            runs: Run id -> what is known of it.
        """
        records = [runs[final_run_id(finalist.trial, seed)] for seed in self.seeds]
        ended = [one if finalist.is_decoded else one.as_trained for one in records if one.has_ended]
        scored = [one for one in ended if one.status == "complete" and one.best is not None]
        return scored, [one for one in ended if one not in scored]

    def to_score(self, runs: Mapping[str, TrialRecord]) -> list[TrialRecord]:
        """Returns the runs that test is opened for: of the best, the second and the default.

        Where two of these are the same runs, once as decoded and once as trained, those as decoded
        are enough: their score is known both ways.
        """
        ranked = self.ranked(runs)
        chosen = [*ranked[:2], *(one for one in ranked[2:] if one.id == DEFAULT_ID)]
        found: dict[str, TrialRecord] = {}
        for finalist in sorted(chosen, key=lambda one: one.is_decoded):
            found |= {record.id: record for record in self.outcome(finalist, runs)[0]}
        return list(found.values())

    def losers(self, runs: Mapping[str, TrialRecord]) -> list[str]:
        """Returns the ids of runs whose checkpoints nobody will read, as others are better.

        Args:
            runs: Run id -> what is known of it.
        """
        ended = [
            finalist
            for finalist in self.finalists
            if all(runs[final_run_id(finalist.trial, seed)].has_ended for seed in self.seeds)
        ]
        # Of several objectives any recipe that is still to come may change which one is chosen.
        if self.goal.tasks and len(ended) < len(self.finalists):
            return []
        ranked = replace(self, finalists=ended).ranked(runs)
        kept = {DEFAULT_ID, *(finalist.trial for finalist in ranked[:2])}
        lost = [finalist for finalist in ranked[2:] if finalist.trial not in kept]
        return [final_run_id(finalist.trial, seed) for finalist in lost for seed in self.seeds]

    def model(self, runs: Mapping[str, TrialRecord]) -> TrialRecord | None:
        """Returns the run of the best recipe with the best score on dev; the first of equals."""
        ranked = self.ranked(runs)
        scored = self.outcome(ranked[0], runs)[0] if ranked else []
        return max(scored, key=_combined, default=None)

    def finals(
        self, runs: Mapping[str, TrialRecord], scoring: Scoring, folder: StudyFolder
    ) -> Finals | None:
        """Returns what the stage found; None when no recipe has a score.

        Args:
            runs: Run id -> what is known of it.
            scoring: What is known of test.
            folder: Of the study.
        """
        ranked = self.ranked(runs)
        others = [one for one in self.finalists if one not in ranked]
        if not ranked:
            return None
        recipes = []
        for one in (*ranked, *others):
            scored, failed = self.outcome(one, runs)
            recipe = final_recipe(
                one.trial, one.recipe[1], scored, failed, tests=scoring.tests, folder=folder,
                is_gain=self.goal.is_gain,
            )  # fmt: skip
            recipes.append(replace(recipe, is_decoded=one.is_decoded))
        differences = compared(recipes, folder, scoring.unseen, is_gain=self.goal.is_gain)
        return Finals(tuple(recipes), recipes[0].id, differences)


def contest(
    history: History,
    section: FinalsSection,
    run: Mapping[str, object],
    *,
    is_decoded: bool,
) -> Contest:
    """Returns the final stage of a study whose search has ended.

    Two trials of the same recipe are one recipe: it takes part once.

    Args:
        history: Its trials.
        section: What its file says of the stage.
        run: Its resolved `run` section as plain data.
        is_decoded: Whether settings of decoding are searched on each model.
    """
    found: dict[str, Finalist] = {}
    default = history.default
    own = _resolved(run, default) if default is not None and _has_score(default) else None
    for record in filter(_has_score, history.goal.ranked(history.ended)):
        resolved = _resolved(run, record)
        # Another trial of the study file's own recipe is known by that.
        found_by = default if default is not None and resolved == own else record
        if len(found) < section.recipes:
            finalist = Finalist(found_by.id, found_by.best_recipe, is_decoded)
            found.setdefault(resolved, finalist)
    finalists = list(found.values())
    if default is not None and own is not None:
        as_it_is = Finalist(DEFAULT_ID, default.best_recipe)
        finalists += [as_it_is] if as_it_is not in finalists else []
    first = int(str(run.get("seed", 0))) + 1
    return Contest(finalists, range(first, first + section.seeds), run, history.goal)


def _resolved(run: Mapping[str, object], record: TrialRecord) -> str:
    return json.dumps(override(run, record.best_recipe[0]), sort_keys=True, default=str)


def chosen_of(history: History, finals: Finals | None) -> TrialRecord | None:
    """Returns the trial of the best recipe: the one that the final stage chose, if there was one.

    Args:
        history: All trials.
        finals: What the final stage found.
    """
    if finals is None:
        return history.best
    record = history.get(finals.best.trial)
    return record if record is None or finals.best.is_decoded else record.as_trained


def _epochs(folder: StudyFolder, run_id: str) -> float:
    """Returns the epochs of the recipe of a run that has begun."""
    found = look_up(read_document(folder.run(run_id) / "config.yaml").data, "training.epochs")
    return float(found) if isinstance(found, int | float) else math.inf


def _has_score(record: TrialRecord) -> bool:
    return record.status != "failed" and record.best is not None


def _combined(record: TrialRecord) -> float:
    return record.best.combined if record.best is not None else float("-inf")
