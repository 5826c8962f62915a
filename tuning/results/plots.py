"""The figures of a study, for notebooks: those of its report, drawn of what scripts have."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, get_args

from mtl_core.errors import ConfigError, NotReadyError, did_you_mean
from tuning.records import TrialRecord
from tuning.report.figures.drawing import Score, scores_of
from tuning.report.figures.finals import Split
from tuning.report.figures.progress import Cost
from tuning.study.finals import Finals
from tuning.study.folder import StudyFolder
from tuning.study.history import History
from tuning.study.result import Result
from tuning.study.sharing import Sharing, sharing_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from tuning.report.figures.parameters import Scales


class StudyPlots:
    """What `StudyResult.plot` returns: each method draws a figure of plotly.

    A notebook shows what a method returns; `write_html` of a figure makes a file of it. Scores are
    named by the task whose main score is meant, and "combined" is the objective.
    """

    def __init__(self, folder: StudyFolder, history: History, result: Result) -> None:
        self._folder = folder
        self._history = history
        self._result = result

    def progress(self, *, cost: Cost = "epochs") -> "Figure":
        """Draws the best score on dev so far against what was trained.

        Args:
            cost: What was spent: "epochs", or "time" of all trainers together, in minutes where
                there are few, else in hours.

        Raises:
            ConfigError: It is neither.
        """
        # Here as in all methods: who only reads numbers neither needs plotly nor waits for it.
        from tuning.report.figures.progress import best_so_far
        from tuning.study.journal import read_order

        order, goal = read_order(self._folder.journal), self._history.goal
        _known(cost, get_args(Cost), "cost")
        return best_so_far(list(self._history), order, cost=cost, goal=goal)

    def curves(self, score: str = "combined") -> "Figure":
        """Draws a score on dev against the epochs of each trial."""
        from tuning.report.figures.curves import learning_curves

        return learning_curves(self._ranked, self._score(score), best=self._result.goal.chosen)

    def importance(self, score: str = "combined") -> "Figure":
        """Draws how important each parameter was, with how sure that is.

        Args:
            score: "combined", a task, or "front" of a study with several objectives.

        Raises:
            NotReadyError: Too few trials ran to their end to tell.
        """
        from tuning.report.figures.importance import importance_bars
        from tuning.report.importance import LEAST_TRIALS, importances
        from tuning.study.journal import read_optuna

        found = {one.score: one for one in importances(read_optuna(self._folder.journal))}
        if not found:
            raise NotReadyError(
                f"{self._folder.path}: the importance of parameters is known from {LEAST_TRIALS} "
                f"trials on that ran to their end; there are {self._history.counts['complete']}"
            )
        return importance_bars(found[_known(score, found, "score")])

    def slice(self, parameter: str, score: str = "combined") -> "Figure":
        """Draws a score on dev of each trial against a parameter, a dotted key of `run`."""
        from tuning.report.figures.slices import slice_of

        name = self._parameter(parameter)
        return slice_of(self._ranked, name, self._score(score), scales=self._scales)

    def contour(self, first: str, second: str, score: str = "combined") -> "Figure":
        """Draws a score on dev as heights over two parameters, of trials that ran to their end.

        Raises:
            NotReadyError: Too few trials have both, or one never varies or is a choice.
        """
        from tuning.report.figures.parameters import pairs
        from tuning.report.figures.together import contour

        both = self._parameter(first), self._parameter(second)
        if not pairs(self._ranked, both):
            raise NotReadyError(
                f"{self._folder.path}: too few trials that ran to their end have several values of "
                f"'{first}' and '{second}', or one is a choice and has no numbers"
            )
        return contour(self._ranked, *both, self._score(score), scales=self._scales)

    def parallel(self, *parameters: str, score: str = "combined") -> "Figure":
        """Draws each trial that ran to its end as a line over its score and its parameters.

        Args:
            *parameters: Dotted keys of `run`; none = all that vary.
            score: What colours the lines.

        Raises:
            NotReadyError: No trial ran to its end.
        """
        from tuning.report.figures.parameters import varied
        from tuning.report.figures.together import parallel

        if not self._history.counts["complete"]:
            raise NotReadyError(f"{self._folder.path}: no trial ran to its end")
        names = [self._parameter(name) for name in parameters] or varied(self._ranked)
        return parallel(self._ranked, names, self._score(score), scales=self._scales)

    def front(self, *tasks: str) -> "Figure":
        """Draws the trials of a study over two of its objectives.

        Args:
            *tasks: Two of the objectives; none = the first two.

        Raises:
            ConfigError: The study has one objective, or these are no two of its objectives.
        """
        from tuning.report.figures.front import front

        goal = self._result.goal.aim
        if len(goal.tasks) < 2:
            raise ConfigError(f"{self._folder.path}: the study has one objective, and no front")
        if len(tasks) not in (0, 2):
            raise ConfigError(f"front: expected two objectives or none, found {len(tasks)}")
        if len(set(tasks)) == 1:
            raise ConfigError(f"front: expected two objectives or none, found '{tasks[0]}' twice")
        named = tuple(_known(task, goal.tasks, "objective") for task in tasks) or goal.tasks[:2]
        chosen = self._result.goal.chosen
        return front(self._ranked, goal, chosen=chosen, tasks=(named[0], named[1]))

    def finals(self, score: str = "combined", *, split: Split = "test") -> "Figure":
        """Draws a score of each recipe of the final stage: every run, mean and 95 % interval.

        Args:
            score: "combined", or flat like "intent.accuracy".
            split: "test", on which the best, the second and the default are known, or "dev".

        Raises:
            ConfigError: There is no such split or score.
            NotReadyError: The study has no final stage, or it has not ended; or nothing of it was
                scored on test.
        """
        from tuning.report.figures.finals import final_means

        _known(split, get_args(Split), "split")
        finals = self._finals
        means = finals.best.dev if split == "dev" else finals.best.test
        if not means:
            raise NotReadyError(f"{self._folder.path}: there are no scores on {split}")
        known = {name.replace("/", "."): name for name in means}
        return final_means(finals, known[_known(score, known, "score")], split=split)

    def differences(self) -> "Figure":
        """Draws how much better the best recipe is than the others, with 95 % intervals.

        Raises:
            NotReadyError: The study has no final stage, or nothing to compare its best with.
        """
        from tuning.report.figures.finals import differences

        if not self._finals.differences:
            raise NotReadyError(f"{self._folder.path}: the best recipe is compared with no other")
        return differences(self._finals.differences)

    def affinity(self) -> "Figure":
        """Draws what a step on each task takes off the loss of each, in percent of the loss.

        Raises:
            NotReadyError: No trial has looked at its tasks, see `training.gradients_every`.
        """
        from tuning.report.figures.sharing import affinity_map

        return affinity_map(self._sharing)

    def conflicts(self) -> "Figure":
        """Draws the cosines of the gradients of each two tasks; below 0 is a conflict.

        Raises:
            NotReadyError: No trial has looked at its tasks, see `training.gradients_every`.
        """
        from tuning.report.figures.sharing import conflict_map

        return conflict_map(self._sharing)

    def confusions(self, task: str) -> "Figure":
        """Draws what the best model takes for what on dev, for a task with labels.

        Raises:
            NotReadyError: Nothing is kept of its errors, or it took nothing for something else.
        """
        from mtl_core.task_errors import read_errors
        from tuning.report.figures.errors import confusions

        found = read_errors(self._folder.best)
        tables = found[_known(task, found, "task")].labels
        if tables is None or not tables.confused:
            raise NotReadyError(f"{self._folder.path}: task '{task}' took no label for another")
        return confusions(tables)

    @property
    def _sharing(self) -> Sharing:
        found = sharing_of(self._history)
        if found is None:
            raise NotReadyError(
                f"{self._folder.path}: no trial has looked at two tasks; the study file says how "
                "often they are looked at: training.gradients_every"
            )
        return found

    @property
    def _ranked(self) -> list[TrialRecord]:
        return self._history.goal.ranked(self._history)

    @property
    def _scales(self) -> "Scales":
        from tuning.report.figures.parameters import scales_of
        from tuning.study.journal import read_optuna

        return scales_of(read_optuna(self._folder.journal))

    @property
    def _finals(self) -> Finals:
        if self._result.finals is None:
            raise NotReadyError(
                f"{self._folder.path}: the final stage has not ended, or the study has none: "
                "study.finals"
            )
        return self._result.finals

    def _score(self, name: str) -> Score:
        known = {score.key: score for score in scores_of(self._history)}
        return known[_known(name, known, "score")]

    def _parameter(self, name: str) -> str:
        known = [parameter for record in self._history for parameter in record.parameters]
        return _known(name, known, "parameter")


def _known(name: str, known: Iterable[str], what: str) -> str:
    """Returns a name that is known.

    Raises:
        ConfigError: It is not.
    """
    allowed: Sequence[str] = list(dict.fromkeys(known))
    if name in allowed:
        return name
    told = ", ".join(allowed) or "none"
    raise ConfigError(f"no {what} '{name}'; there is {told}.{did_you_mean(name, allowed)}")
