"""Writes simulated dose–response curves (`curves_NUMBER.csv`, one file per regime) and their truth (`curves_truth.csv`).

The regimes are those of `benches/coverage.rs`, with draws of their own, and one more whose curves all end at 0, as the model of
gdscIC50 has them.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

CELL_LINES = 20


@dataclass(frozen=True)
class Regime:
    """A kind of screen. Errors are shares of the control; EC50s are shares of the tested range of log doses."""

    name: str
    doses: int = 8
    factor: float = 10.0**0.5
    replicates: int = 3
    error: float = 0.05
    hill: float = 1.2
    hill_spread: float = 0.4
    bottom: tuple[float, float] = (0.0, 0.3)
    ec50: tuple[float, float] = (0.3, 0.75)
    outliers: float = 0.0
    batch: float = 0.0
    batch_column: bool = True


BASE = Regime("ordinary")
REGIMES = (
    BASE,
    replace(BASE, name="one replicate", replicates=1),
    replace(BASE, name="steep", hill=4.0, hill_spread=0.3),
    replace(BASE, name="steep, one replicate", hill=4.0, hill_spread=0.3, replicates=1),
    replace(BASE, name="steep among others", hill=1.8, hill_spread=0.7),
    replace(BASE, name="shallow", hill=0.5, hill_spread=0.25),
    replace(BASE, name="partial", bottom=(0.25, 0.45)),
    replace(BASE, name="potent", ec50=(0.05, 0.3)),
    replace(BASE, name="weak", ec50=(0.7, 0.95)),
    replace(BASE, name="five doses", doses=5, factor=4.0, replicates=2),
    replace(BASE, name="five doses, one replicate", doses=5, factor=4.0, replicates=1),
    replace(BASE, name="outliers", outliers=0.05),
    replace(BASE, name="errors of 15 %", error=0.15),
    replace(BASE, name="batches", batch=0.08),
    replace(BASE, name="batches, no column", batch=0.08, batch_column=False),
    replace(BASE, name="like GDSC", doses=9, factor=2.0, replicates=1, error=0.07, hill_spread=0.5),
    replace(BASE, name="like O'Neil", factor=2.2, replicates=6, error=0.06, hill=1.8, hill_spread=0.7),
    replace(BASE, name="like GDSC, all to 0", doses=9, factor=2.0, replicates=1, error=0.07, bottom=(0.0, 0.0)),
)


def curve(regime: Regime, number: int, random: np.random.Generator) -> tuple[pd.DataFrame, dict[str, object]]:
    """The readings of one curve, one row per well, and its truth."""
    doses = 0.01 * regime.factor ** np.arange(regime.doses)
    span = np.log(doses[-1] / doses[0])
    bottom = random.uniform(*regime.bottom)
    ec50 = doses[0] * np.exp(span * random.uniform(*regime.ec50))
    hill = regime.hill * np.exp(regime.hill_spread * random.normal())
    viability = bottom + (1.0 - bottom) / (1.0 + (doses / ec50) ** hill)
    shape = (regime.replicates, regime.doses)
    batches = 1.0 + regime.batch * random.normal(size=(regime.replicates, 1))
    gross = random.uniform(-0.6, 0.6, shape) * (random.uniform(size=shape) < regime.outliers)
    readings = batches * viability + regime.error * random.normal(size=shape) + gross
    names = {"cell_line": f"C{number % CELL_LINES:02}", "drug": f"D{number // CELL_LINES:03}"}
    wells = pd.DataFrame(names | {"dose_um": np.tile(doses, regime.replicates), "viability_fraction": readings.ravel()})
    if regime.replicates > 1 and regime.batch_column:
        wells["experiment"] = np.repeat(np.arange(regime.replicates), regime.doses)
    ic50 = ec50 * (0.5 / (0.5 - bottom)) ** (1.0 / hill) if bottom < 0.5 else np.inf
    return wells, names | {"ic50": ic50, "ec50": ec50, "low": doses[0], "high": doses[-1]}


def main() -> None:
    """Writes the files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--curves", type=int, default=400, help="curves in each regime")
    options = parser.parse_args()
    truths = []
    for at, regime in enumerate(REGIMES):
        parts = [curve(regime, number, np.random.default_rng([2, at, number])) for number in range(options.curves)]
        wells = pd.concat([wells for wells, _ in parts], ignore_index=True)
        wells.to_csv(options.out / f"curves_{at:02}.csv", index=False, float_format="%.8g")
        truths += [{"file": f"curves_{at:02}", "regime": regime.name} | truth for _, truth in parts]
    pd.DataFrame(truths).to_csv(options.out / "curves_truth.csv", index=False)


if __name__ == "__main__":
    main()
