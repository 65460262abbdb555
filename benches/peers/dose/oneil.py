"""Writes O'Neil's single agents as the tools of this comparison read them: oneil.py FOLDER_OF_ONEIL OUT_FOLDER"""

import sys
from pathlib import Path

import pandas as pd


def main() -> None:
    """Writes `oneil.csv`, one row per reading, and `oneil_published.csv`, one row per published fit."""
    source, out = map(Path, sys.argv[1:])
    raw = pd.read_csv(source / "single_agent_raw.csv")
    names = {"Channel": "cell_line", "Compound": "drug", "Experiment": "experiment", "Dose": "dose_um"}
    readings = raw.rename(columns=names)
    readings["viability_fraction"] = 1.0 - readings.pop("Response") / 100.0
    readings.dropna().to_csv(out / "oneil.csv", index=False, float_format="%.8g")
    published = pd.read_csv(source / "single_agent_fits_reference.csv")
    published["ic50"] = 10.0 ** (6.0 - published["pIC50"])
    published = published.rename(columns={"Hill": "hill"})[["cell_line", "drug", "ic50", "hill"]]
    published.drop_duplicates(["cell_line", "drug"]).to_csv(out / "oneil_published.csv", index=False)


if __name__ == "__main__":
    main()
