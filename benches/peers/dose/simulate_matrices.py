"""Writes simulated dose matrices of two drugs (`matrices.csv`) and the scores of their true surfaces (`matrices_truth.csv`).

The true score of a cell is the true inhibition less what the model expects of the true curves of the two drugs alone. The true
inhibition and MuSyC's true alphas stand beside it.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from surfaces import Drug, independent, interacting, loewe

Range = tuple[float, float]
SURFACES = ("independent", "additive", "synergistic", "antagonistic")


@dataclass(frozen=True)
class Regime:
    """A kind of matrix. Errors are shares of the control; EC50s are shares of the tested range of log doses."""

    name: str
    doses: int = 7
    factor: float = 3.0
    replicates: int = 1
    error: float = 0.05
    error_slope: float = 0.0
    outliers: float = 0.0
    hill: tuple[float, float] = (1.2, 1.2)
    hill_spread: float = 0.3
    emax: tuple[Range, Range] = ((0.8, 1.0), (0.8, 1.0))
    ec50: Range = (0.35, 0.75)


BASE = Regime("eight by eight doses")
REGIMES = (
    BASE,
    replace(BASE, name="three replicates", replicates=3),
    replace(BASE, name="errors of 1 %", error=0.01),
    replace(BASE, name="errors of 10 %", error=0.10),
    replace(BASE, name="errors that grow with viability", error=0.02, error_slope=0.08),
    replace(BASE, name="outliers", outliers=0.04),
    replace(BASE, name="four by four doses", doses=3, factor=6.0),
    replace(BASE, name="five by five, four replicates", doses=4, factor=4.0, replicates=4),
    replace(BASE, name="ten by ten doses", doses=9),
    replace(BASE, name="steep", hill=(4.0, 4.0)),
    replace(BASE, name="shallow", hill=(0.6, 0.6)),
    replace(BASE, name="steep with shallow", hill=(4.0, 0.6)),
    replace(BASE, name="partial", emax=((0.35, 0.65), (0.35, 0.65))),
    replace(BASE, name="one weak drug", emax=((0.8, 1.0), (0.05, 0.2))),
    replace(BASE, name="potent", ec50=(0.05, 0.35)),
    replace(BASE, name="EC50 near the highest dose", ec50=(0.75, 1.0)),
    replace(BASE, name="without noise", error=0.0),
)


def draw_drug(regime: Regime, which: int, doses: np.ndarray, random: np.random.Generator) -> Drug:
    """A drug whose EC50 lies where the regime has it."""
    span = np.log(doses[-1] / doses[0])
    return Drug(
        emax=random.uniform(*regime.emax[which]),
        ec50=doses[0] * np.exp(span * random.uniform(*regime.ec50)),
        hill=regime.hill[which] * np.exp(regime.hill_spread * random.normal()),
    )


def matrix(regime: Regime, number: int, random: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The readings of one matrix, one row per well, and the truth of its cells with both drugs."""
    doses = 0.01 * regime.factor ** np.arange(regime.doses)
    drugs = (draw_drug(regime, 0, doses, random), draw_drug(regime, 1, doses, random))
    surface = SURFACES[number % len(SURFACES)]
    alpha = {"synergistic": 1.0, "antagonistic": -1.0}.get(surface, 0.0) * random.uniform(0.3, 1.2)
    with_zero = np.concatenate([[0.0], doses])
    dose_a, dose_b = (axis.ravel() for axis in np.meshgrid(with_zero, with_zero, indexing="ij"))
    inhibition = interacting(drugs, 10.0**alpha, dose_a, dose_b)
    both = (dose_a > 0.0) & (dose_b > 0.0)
    additive, defined = loewe(drugs, dose_a[both], dose_b[both])
    if surface == "additive":
        inhibition[both] = additive
    alone = drugs[0].inhibition(dose_a[both]), drugs[1].inhibition(dose_b[both])
    block = f"{regime.name} {number}"
    truth = pd.DataFrame(
        {
            "block_id": block,
            "regime": regime.name,
            "surface": surface,
            "dose_a": dose_a[both],
            "dose_b": dose_b[both],
            "zip": 100.0 * (inhibition[both] - independent(*alone)),
            "loewe": np.where(defined, 100.0 * (inhibition[both] - additive), np.nan),
            "inhibition": 100.0 * inhibition[both],
            # MuSyC raises its alpha to the slope of the drug that it makes more potent.
            "log_alpha_12": np.nan if surface == "additive" else alpha / drugs[1].hill,
            "log_alpha_21": np.nan if surface == "additive" else alpha / drugs[0].hill,
        }
    )
    viability = np.tile(1.0 - inhibition, regime.replicates)
    error = regime.error + regime.error_slope * viability
    noise = error * random.normal(size=viability.size)
    gross = random.uniform(-0.6, 0.6, viability.size) * (random.uniform(size=viability.size) < regime.outliers)
    wells = pd.DataFrame(
        {
            "block_id": block,
            "drug_a": "A",
            "drug_b": "B",
            "dose_a_um": np.tile(dose_a, regime.replicates),
            "dose_b_um": np.tile(dose_b, regime.replicates),
            "viability_percent": 100.0 * (viability + noise + gross),
        }
    )
    return wells, truth


def main() -> None:
    """Writes the two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--matrices", type=int, default=48, help="matrices in each regime, a quarter of them of each surface")
    options = parser.parse_args()
    parts = [
        matrix(regime, number, np.random.default_rng([1, at, number]))
        for at, regime in enumerate(REGIMES)
        for number in range(options.matrices)
    ]
    wells, truth = (pd.concat(tables, ignore_index=True) for tables in zip(*parts, strict=True))
    wells.to_csv(options.out / "matrices.csv", index=False, float_format="%.8g")
    truth.to_csv(options.out / "matrices_truth.csv", index=False, float_format="%.8g")


if __name__ == "__main__":
    main()
