"""A model of the recorded curves: what any recipe of the space would score at every report.

Surrogates stand for expensive runs in benchmarks of searches (Eggensperger et al. 2015,
https://ojs.aaai.org/index.php/AAAI/article/view/9375; YAHPO Gym, Pfisterer et al. 2022,
https://arxiv.org/abs/2109.03670). A table alone would not do: samplers would have to be held to its
recipes, and what makes one better than another is where between them it draws.

Curves are a mean and a few principal components; how much a recipe has of each is a Gaussian
process over the space, which smooths the noise of seeds away. That noise is then added as it was
recorded: how a repeat of a recipe with another seed differed from the mean of all its seeds, all
along the curve, taken from one of the repeated recipes with the most similar curve.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from _curves import TASKS, Curve, Table
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

Floats = NDArray[np.float64]

COMPONENTS = 6
SCALED = 192
"""Recipes that the scales of features are fitted to; the first ones lie evenly in the space."""
NEIGHBOURS = 3
"""Repeated recipes that noise is taken from."""
WHOLE = 7
"""Depth that stands for a frozen encoder, of six layers and the embeddings."""


def parameters_of(curve: Curve) -> dict[str, Any]:
    """Returns the parameters of what was run."""
    drawn = curve.job.parameters
    return {**drawn, "freezing.kind": "encoder"} if curve.job.role == "heads" else drawn


def features(parameters: Mapping[str, Any]) -> Floats:
    """Returns a recipe as numbers: (6,), rates and the weight as logarithms."""
    kind = parameters["freezing.kind"]
    layers = parameters.get("freezing.lower_layers.layers", 0)
    return np.array(
        [
            math.log(parameters["optimizer.encoder_lr"]),
            math.log(parameters["optimizer.head_lr"]),
            parameters["optimizer.layer_decay"],
            math.log(parameters["tasks.slots.weight"]),
            float(parameters["weighting.kind"] == "uncertainty"),
            # One more than its layers: the embeddings below them are frozen, too.
            float({"none": 0, "lower_layers": 1 + layers, "encoder": WHOLE}[kind]),
        ]
    )


def as_array(curve: Curve) -> Floats:
    """Returns the scores of a curve: (reports, tasks)."""
    return np.array([curve.scores[task] for task in TASKS]).T


@dataclass(frozen=True, slots=True)
class Process:
    """A fitted Gaussian process over standardised features, as plain arrays.

    Attributes:
        inputs: Of the recipes it was fitted to, divided by their scales: (recipes, features).
        scales: Length scale of every feature: (features,).
        weights: What each of them adds, per unit of similarity: (recipes,).
        mean: What is predicted far from all of them.
    """

    inputs: Floats
    scales: Floats
    weights: Floats
    mean: float

    @classmethod
    def fit(cls, inputs: Floats, targets: Floats) -> "Process":
        """Fits one by the likelihood: Matern 5/2, a length scale per feature, and noise."""
        spread = float(targets.std()) or 1.0
        kernel = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(
            np.ones(inputs.shape[1]), (1e-1, 1e2), nu=2.5
        ) + WhiteKernel(0.1, (1e-4, 1e1))
        standard = (targets - targets.mean()) / spread
        with warnings.catch_warnings():
            # A feature that says nothing has the longest scale allowed, as it should.
            warnings.simplefilter("ignore", ConvergenceWarning)
            # Likelihoods take the cube of the recipes: scales are found on some of them.
            some = GaussianProcessRegressor(kernel).fit(inputs[:SCALED], standard[:SCALED])
        process = GaussianProcessRegressor(some.kernel_, optimizer=None).fit(inputs, standard)
        found = process.kernel_.k1
        scales = np.broadcast_to(found.k2.length_scale, inputs.shape[1:])
        weights = process.alpha_.ravel() * found.k1.constant_value * spread
        return cls(inputs / scales, scales, weights, float(targets.mean()))

    def predict(self, inputs: Floats) -> Floats:
        """Returns the mean for standardised features: (n, features) -> (n,)."""
        # Not scikit-learn's own, which takes a hundred times as long for a single one.
        ours = (inputs / self.scales)[:, None, :] - self.inputs[None]
        distance = np.sqrt(5 * (ours**2).sum(-1))  # (n, recipes)
        similarity = (1 + distance + distance**2 / 3) * np.exp(-distance)
        return np.asarray(self.mean + similarity @ self.weights)


@dataclass(frozen=True, slots=True)
class Trees:
    """Extremely randomised trees (Geurts et al. 2006): between recipes are steps and plateaus.

    Attributes:
        forest: scikit-learn's.
    """

    forest: ExtraTreesRegressor

    @classmethod
    def fit(cls, inputs: Floats, targets: Floats) -> "Trees":
        """Grows them."""
        return cls(ExtraTreesRegressor(60, min_samples_leaf=2, random_state=0).fit(inputs, targets))

    def predict(self, inputs: Floats) -> Floats:
        """Returns the mean for standardised features: (n, features) -> (n,)."""
        return np.asarray(self.forest.predict(inputs))


BETWEEN: Mapping[str, type[Process] | type[Trees]] = {"process": Process, "trees": Trees}
"""What curves between the recorded ones are made of."""


class Surrogate:
    """What any recipe of the space scores; see the module.

    Attributes:
        epochs: Epochs of a run.
        reports: Reports of a run.
    """

    def __init__(
        self,
        curves: Sequence[Curve],
        repeats: Sequence[Sequence[Curve]],
        epochs: int,
        between: str = "process",
    ) -> None:
        """Fits the model.

        Args:
            curves: One for each recipe.
            repeats: Of some recipes, the curves of all seeds.
            epochs: Epochs of a run.
            between: A word of `BETWEEN`.
        """
        inputs = np.array([features(parameters_of(curve)) for curve in curves])
        scores = np.array([as_array(curve) for curve in curves])  # (recipes, reports, tasks)
        self.epochs, self.reports = epochs, scores.shape[1]
        self._centre, self._spread = inputs.mean(0), inputs.std(0) + 1e-9
        flat = scores.reshape(len(curves), -1)
        self._mean = flat.mean(0)
        _, _, axes = np.linalg.svd(flat - self._mean, full_matrices=False)
        self._axes = axes[:COMPONENTS]  # (components, reports * tasks)
        amounts = (flat - self._mean) @ self._axes.T
        standard = (inputs - self._centre) / self._spread
        self._processes = [BETWEEN[between].fit(standard, column) for column in amounts.T]
        groups = [np.array([as_array(curve) for curve in group]) for group in repeats]
        self._repeated = [group.mean(0) for group in groups]
        # Seeds differ from their own mean by less than from the true one.
        self._noise = [
            (group - group.mean(0)) * math.sqrt(len(group) / (len(group) - 1)) for group in groups
        ]

    @classmethod
    def of(cls, table: Table, between: str = "process") -> "Surrogate":
        """Fits the model to a table."""
        drawn, repeats = table.of("drawn"), table.of("repeat")
        groups = [[*drawn[number], *repeats[number]] for number in repeats if number in drawn]
        curves = [one for role in ("drawn", "heads") for (one,) in table.of(role).values()]
        return cls(curves, groups, table.epochs, between)

    def means(self, recipes: Sequence[Mapping[str, Any]]) -> Floats:
        """Returns the curves of recipes without noise: (recipes, reports, tasks)."""
        inputs = (np.array([features(one) for one in recipes]) - self._centre) / self._spread
        amounts = np.stack([process.predict(inputs) for process in self._processes], axis=1)
        flat = self._mean + amounts @ self._axes
        clipped = np.clip(flat, 0, 1)
        return np.asarray(clipped.reshape(len(recipes), self.reports, len(TASKS)))

    def draw(self, mean: Floats, generator: np.random.Generator) -> Floats:
        """Returns a curve of a recipe, given that without noise: (reports, tasks)."""
        if not self._noise:
            return mean
        apart = [float(np.square(mean - other).sum()) for other in self._repeated]
        near = np.argsort(apart)[:NEIGHBOURS]
        group = self._noise[int(generator.choice(near))]
        return np.asarray(np.clip(mean + group[generator.integers(len(group))], 0, 1))
