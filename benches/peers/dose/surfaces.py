"""Drugs, the surfaces of two drugs together, and what HSA, Bliss, ZIP and Loewe expect of them: all of it exact.

Everything is an inhibition from 0 to 1. A drug alone has the curve `emax u / (1 + u)` with `u = (dose / ec50) ** hill`.
"""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Drug:
    """A log-logistic curve that begins at no inhibition."""

    emax: float
    ec50: float
    hill: float

    def odds(self, dose: Array) -> Array:
        """`(dose / ec50) ** hill`."""
        return (dose / self.ec50) ** self.hill

    def inhibition(self, dose: Array) -> Array:
        """The inhibition at each dose."""
        odds = self.odds(dose)
        return self.emax * odds / (1.0 + odds)

    def dose_at(self, inhibition: Array) -> Array:
        """The dose with each inhibition, infinite at or above `emax`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.where(inhibition < self.emax, inhibition / (self.emax - inhibition), np.inf)
        return self.ec50 * odds ** (1.0 / self.hill)


def independent(a: Array, b: Array) -> Array:
    """Inhibition of two drugs that act independently (Bliss 1939); ZIP expects the same of fitted curves."""
    return a + b - a * b


def loewe(drugs: tuple[Drug, Drug], dose_a: Array, dose_b: Array) -> tuple[Array, Array]:
    """Inhibition under Loewe additivity at doses above 0, and whether the isobole equation has a solution there.

    The solution is below the smaller `emax`. Where there is none, the inhibition of the stronger drug alone is given.
    """
    low, high = np.zeros_like(dose_a), np.full_like(dose_a, min(drug.emax for drug in drugs))
    top = high * (1.0 - 1e-12)

    def too_much(inhibition: Array) -> Array:
        return dose_a / drugs[0].dose_at(inhibition) + dose_b / drugs[1].dose_at(inhibition) > 1.0

    defined = ~too_much(top)
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = np.where(too_much(middle), middle, low), np.where(too_much(middle), high, middle)
    alone = np.maximum(drugs[0].inhibition(dose_a), drugs[1].inhibition(dose_b))
    return np.where(defined, (low + high) / 2.0, alone), defined


def interacting(drugs: tuple[Drug, Drug], alpha: float, dose_a: Array, dose_b: Array) -> Array:
    """Two drugs of which each changes the potency of the other: the two-dimensional Hill equation (Meyer et al. 2019) under
    detailed balance, with the Bliss independent effect where both saturate.

    At a fixed dose of one drug it is a log-logistic curve of the other, exactly, which is what ZIP fits. With `alpha` 1 the
    drugs are independent, above 1 they are synergistic, below 1 antagonistic.
    """
    u, v = drugs[0].odds(dose_a), drugs[1].odds(dose_b)
    both = independent(np.float64(drugs[0].emax), np.float64(drugs[1].emax))
    return (drugs[0].emax * u + drugs[1].emax * v + both * alpha * u * v) / (1.0 + u + v + alpha * u * v)
