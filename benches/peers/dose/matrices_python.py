"""Scores matrices with the Python package synergy, each block by itself: matrices_python.py WELLS.csv SCORES.csv

Its Hill curves get wide bounds: those of the package by default have none, and the worst fits run away.
"""

import sys
import warnings

import numpy as np
import pandas as pd
from synergy.combination import HSA, ZIP, Bliss, Loewe
from synergy.single import Hill

BOUNDS = {"E0_bounds": (0.5, 1.5), "Emax_bounds": (-0.5, 1.5), "h_bounds": (0.1, 10.0)}


def models() -> dict:
    """The four models, not yet fitted."""
    hill = {f"drug{which}_model": Hill(**BOUNDS) for which in (1, 2)}
    return {"hsa": HSA(), "bliss": Bliss(), "zip": ZIP(**hill), "loewe": Loewe(mode="delta_HSA", **hill)}


def score_block(block: pd.DataFrame) -> pd.DataFrame:
    """The scores of one block in percentage points, NaN where a model fails."""
    dose_a, dose_b = (block[column].to_numpy() for column in ("dose_a_um", "dose_b_um"))
    viability = block["viability_percent"].to_numpy() / 100.0
    scores = {"block_id": block["block_id"].iloc[0], "dose_a": dose_a, "dose_b": dose_b}
    for name, model in models().items():
        try:
            scores[name] = 100.0 * np.asarray(model.fit(dose_a, dose_b, viability))
        except Exception:  # noqa: BLE001 - whatever it raises, this block has no score
            scores[name] = np.nan
    return pd.DataFrame(scores)


def main() -> None:
    """Reads the wells, writes the scores."""
    warnings.simplefilter("ignore")
    wells, out = sys.argv[1:]
    table = pd.read_csv(wells)
    means = table.groupby(["block_id", "dose_a_um", "dose_b_um"], as_index=False)["viability_percent"].mean()
    parts = [score_block(block) for _, block in means.groupby("block_id")]
    scores = pd.concat(parts, ignore_index=True)
    scores[(scores["dose_a"] > 0.0) & (scores["dose_b"] > 0.0)].to_csv(out, index=False)


if __name__ == "__main__":
    main()
