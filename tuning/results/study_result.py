"""What scripts and notebooks get of a study: its best recipe, its trials as tables, its model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.data.notes import DataNote
from mtl_core.task_errors import Errors, read_errors
from tuning.study.final_scores import FinalScores
from tuning.study.finals import FinalRecipe
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.result import Result
from tuning.study.status import State

if TYPE_CHECKING:
    import pandas

    from mtl_core.predictor import Predictor
    from tuning.report.summary import Unfinished
    from tuning.results.plots import StudyPlots


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyResult:
    """What `tuning.tune` and `tuning.read_study` return.

    Tables are pandas DataFrames, made anew from `history` and `result` at each access. Of a study
    that is not finished, all is as it stands so far; scores on test are there once all are known
    that were asked for, and only baselines or the result itself are missing.

    Attributes:
        folder: The study folder.
        status: "complete", or "failed" when no trial reached a score; of one that is not finished
            "running" or "interrupted".
        result: What `result.json` holds.
        history: All trials with their reports.
        replay: The command that trains the best recipe again.
        trust_code: Whether code of the study's own kinds of tasks may run when its model is loaded.
        unfinished: How far a study is that is not finished; None of a finished one.
    """

    folder: Path
    status: State
    result: Result
    history: History
    replay: str
    trust_code: bool = False
    unfinished: "Unfinished | None" = None

    @property
    def best(self) -> FinalScores | None:
        """The best recipe, with its scores on dev and on test.

        Behind a final stage that is the recipe which it chose, and the scores are means over its
        runs: by those on dev it was chosen. `seeds` has each run, `finals` the intervals, and
        `result.best` the trial that found the recipe, whose score on dev was the luckiest of many.
        On test the scores are None where there is no test split, and as long as it is not opened.
        """
        finals = self.result.finals
        return self.result.best if finals is None else _mean(self.result.best, finals.best)

    @property
    def default(self) -> FinalScores | None:
        """The study file's own recipe, with scores as those of `best`; None without a score."""
        finals = self.result.finals
        return self.result.default if finals is None else _mean(self.result.default, finals.default)

    @property
    def verdict(self) -> str:
        """What was found, in a sentence, as the report begins; that it is not finished, if so."""
        from tuning.report.unfinished import unfinished_verdict
        from tuning.report.verdict import verdict

        if self.unfinished is not None:
            return unfinished_verdict(self.unfinished, self.result)
        return verdict(self.result)

    @property
    def seconds(self) -> float:
        """Wall time in seconds, over all sessions of the study."""
        return self.result.seconds

    @property
    def notes(self) -> Sequence[DataNote]:
        """What a user should know of the data, the most important first."""
        return self.result.notes

    @property
    def trials(self) -> "pandas.DataFrame":
        """One row per trial, as `trials.csv` has them; see `trials_frame` for the columns."""
        # Imported late, as everywhere here: pandas is slow to import.
        from tuning.watch.trials_csv import trials_frame

        return trials_frame(list(self.history), self.history.goal)

    @property
    def front(self) -> "pandas.DataFrame":
        """The rows of `trials` that no other trial beats in all objectives; none with one."""
        trials = self.trials
        on_front = {record.trial for record in self.result.goal.front}
        return trials[trials["trial"].isin(on_front)].reset_index(drop=True)

    @property
    def curves(self) -> "pandas.DataFrame":
        """One row per report: trials, then runs of the final stage; see `curves_frame`."""
        from tuning.results.frames import curves_frame

        folder, finals = StudyFolder(self.folder), self.result.finals
        recipes = finals.recipes if finals is not None else ()
        trained = [run.run for recipe in recipes for run in recipe.seeds]
        runs = {record.id: record.reports for record in self.history}
        return curves_frame(runs | {run_id: folder.read_reports(run_id) for run_id in trained})

    @property
    def finals(self) -> "pandas.DataFrame":
        """The means of the final stage, with intervals; see `finals_frame` for the columns."""
        from tuning.results.frames import finals_frame

        return finals_frame(self.result.finals)

    @property
    def seeds(self) -> "pandas.DataFrame":
        """One row per run of the final stage; see `seeds_frame` for the columns."""
        from tuning.results.frames import seeds_frame

        return seeds_frame(self.result.finals)

    @property
    def differences(self) -> "pandas.DataFrame":
        """What may be claimed of the best recipe; see `differences_frame` for the columns."""
        from tuning.results.frames import differences_frame

        return differences_frame(self.result.finals)

    @property
    def baselines(self) -> "pandas.DataFrame":
        """Each task beside the same task alone; see `baselines_frame` for the columns."""
        from tuning.results.frames import baselines_frame

        return baselines_frame(self.result.baselines)

    @property
    def plot(self) -> "StudyPlots":
        """Figures: `plot.curves()`, `plot.slice("optimizer.head_lr")`; see `StudyPlots`."""
        from tuning.results.plots import StudyPlots

        return StudyPlots(StudyFolder(self.folder), self.history, self.result)

    @property
    def errors(self) -> Errors:
        """Where the best model errs on dev: task -> counts of labels, and its worst rows.

        Raises:
            BrokenError: The file that keeps it is broken.
        """
        return read_errors(self.folder / "best")

    def predictor(self) -> "Predictor":
        """Loads the best model from best/.

        Raises:
            ConfigError: There is none, or it brings code of its own and is not trusted.
        """
        from mtl_core.predictor import Predictor

        return Predictor.load(self.folder / "best", trust_code=self.trust_code)


def _mean(found: FinalScores | None, recipe: FinalRecipe | None) -> FinalScores | None:
    """Returns a recipe with the means over its runs in the place of the scores of its trial."""
    if found is None or recipe is None or not recipe.seeds:
        return None
    # Each of the runs may be decoded with other settings, and of rows not in train the trial's
    # scores alone are known.
    dev, test = recipe.mean_dev, recipe.mean_test
    return replace(found, dev=dev, test=test, unseen=None, decoding=None)
