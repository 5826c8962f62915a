"""A Gaussian process over numbers, by scikit-learn."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LENGTHS = (0.2, 20.0)
"""Length scales that are possible, where inputs range from 0 to 1: shorter ones fit noise."""
_NOISE = (1e-4, 0.5)
"""Share of the targets' variance that may be noise."""
_MOST_FITTED = 128
"""Observations that the kernel is fitted to: the time grows with their third power."""


@dataclass(frozen=True, slots=True)
class Process:
    """A fitted process: Matern 5/2 with a length scale per input, and noise.

    Attributes:
        regressor: scikit-learn's, for targets of mean 0 and deviation 1.
        mean: Mean of the targets that it was fitted to.
        scale: Their standard deviation.
    """

    regressor: Any
    mean: float
    scale: float

    @classmethod
    def fit(cls, inputs: Floats, targets: Floats, rng: np.random.Generator) -> "Process":
        """Fits one by the likelihood.

        Args:
            inputs: (n, d), from 0 to 1.
            targets: (n,).
            rng: Chooses the observations that the kernel is fitted to, where there are many.
        """
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        matern = Matern(np.ones(inputs.shape[1]), _LENGTHS, nu=2.5)
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * matern + WhiteKernel(0.01, _NOISE)
        mean, scale = float(targets.mean()), float(targets.std()) or 1.0
        some = rng.permutation(len(targets))[:_MOST_FITTED]
        regressor = GaussianProcessRegressor(kernel)
        with warnings.catch_warnings():
            # An input that says nothing has the longest scale allowed, as it should.
            warnings.simplefilter("ignore")
            regressor.fit(inputs[some], (targets[some] - mean) / scale)
        return cls(regressor, mean, scale).given(inputs, targets)

    def given(self, inputs: Floats, targets: Floats) -> "Process":
        """Returns the process with the same kernel, of these observations: (n, d) and (n,)."""
        from sklearn.gaussian_process import GaussianProcessRegressor

        regressor = GaussianProcessRegressor(self.regressor.kernel_, optimizer=None)
        regressor.fit(inputs, (targets - self.mean) / self.scale)
        return Process(regressor, self.mean, self.scale)

    def predict(self, inputs: Floats) -> tuple[Floats, Floats]:
        """Returns mean and standard deviation without noise, (n,) each, for (n, d)."""
        with warnings.catch_warnings():
            # Of variances that arithmetic made negative.
            warnings.simplefilter("ignore")
            mean, deviation = self.regressor.predict(inputs, return_std=True)
        noise = self.regressor.kernel_.k2.noise_level
        latent = np.sqrt(np.maximum(deviation**2 - noise, 1e-10))
        return mean * self.scale + self.mean, latent * self.scale
