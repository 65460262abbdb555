"""Fits MuSyC and BRAID with the Python package synergy, each block by itself: fits_python.py WELLS.csv FITS.csv

Plateaus and slopes get the bounds that `matrices_python.py` gives its Hill curves; potencies, the effects of both drugs on
each other and kappa are as free as the package has them.
"""

import sys
import warnings

import numpy as np
import pandas as pd
from synergy.combination import BRAID, MuSyC

from matrices_python import BOUNDS

PLATEAUS = {f"{plateau}_bounds": BOUNDS["Emax_bounds"] for plateau in ("E1", "E2", "E3")}
SURFACE = {"E0_bounds": BOUNDS["E0_bounds"], **PLATEAUS, "h1_bounds": BOUNDS["h_bounds"], "h2_bounds": BOUNDS["h_bounds"]}
PARAMETERS = {"musyc": {"alpha_12": "alpha12", "alpha_21": "alpha21"}, "braid": {"kappa": "kappa"}}


def fit_block(block: pd.DataFrame) -> pd.DataFrame:
    """The fitted inhibition of each cell in percent and the parameters compared, NaN where a fit fails."""
    dose_a, dose_b = (block[column].to_numpy() for column in ("dose_a_um", "dose_b_um"))
    viability = block["viability_percent"].to_numpy() / 100.0
    found = {"block_id": block["block_id"].iloc[0], "dose_a": dose_a, "dose_b": dose_b}
    for name, model in {"musyc": MuSyC(**SURFACE), "braid": BRAID(**SURFACE)}.items():
        try:
            model.fit(dose_a, dose_b, viability)
            found[name] = 100.0 * (1.0 - np.asarray(model.E(dose_a, dose_b)))
            found |= {column: getattr(model, of) for column, of in PARAMETERS[name].items()}
        except Exception:  # noqa: BLE001 - whatever it raises, this block has no fit
            found[name] = np.nan
            found |= dict.fromkeys(PARAMETERS[name], np.nan)
    return pd.DataFrame(found)


def main() -> None:
    """Reads the wells, writes the fits."""
    warnings.simplefilter("ignore")
    wells, out = sys.argv[1:]
    table = pd.read_csv(wells)
    means = table.groupby(["block_id", "dose_a_um", "dose_b_um"], as_index=False)["viability_percent"].mean()
    pd.concat([fit_block(block) for _, block in means.groupby("block_id")], ignore_index=True).to_csv(out, index=False)


if __name__ == "__main__":
    main()
