"""Child process: scores prediction files and refuses files that hold different pairs.

Standard input: a JSON list of {"name", "file", "model"}; `model` picks the rows of one model from a file that holds
several, null takes all rows. Standard output: a JSON object of the metrics by name.
"""

import json
import sys

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from screen import harmonise

MIN_CELLS_PER_DRUG = 20
OBSERVED_TOLERANCE = 1e-3


def read_predictions(path: str, model: str | None) -> pd.DataFrame:
    """Predictions of one model with harmonised names, sorted by fold and pair."""
    table = pd.read_parquet(path)
    if model is not None:
        table = table[table["model"] == model]
    keys = {"cell_line": harmonise(table["cell_line"]), "drug": harmonise(table["drug"])}
    return table.assign(**keys).sort_values(["fold", "cell_line", "drug"], ignore_index=True)


def check_same_pairs(name: str, table: pd.DataFrame, first: str, reference: pd.DataFrame) -> None:
    """Exit with a message unless both tables hold the same pairs, folds and responses."""
    keys = ["fold", "cell_line", "drug"]
    differing = len(table[keys].merge(reference[keys], how="outer", indicator=True).query("_merge != 'both'"))
    if differing:
        sys.exit(f"{name} and {first} were tested on different pairs: {differing} are in only one of the two")
    gap = np.abs(table["observed"] - reference["observed"]).max()
    if gap > OBSERVED_TOLERANCE:
        sys.exit(f"{name} and {first} hold different responses for the same pair: they differ by up to {gap:.3g}")


def _pearson(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Pearson correlation; 0 where either side is constant."""
    if np.ptp(observed) == 0 or np.ptp(predicted) == 0:
        return 0.0
    return float(np.corrcoef(observed, predicted)[0, 1])


def _r2(observed: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the variance of `observed` that `predicted` explains."""
    return float(1 - np.sum((observed - predicted) ** 2) / np.sum((observed - observed.mean()) ** 2))


def score(table: pd.DataFrame) -> dict[str, float]:
    """Every metric over all test pairs of the folds run; the last two compare cell lines within a drug."""
    observed, predicted = table["observed"].to_numpy(np.float64), table["predicted"].to_numpy(np.float64)
    values = pd.DataFrame({"drug": table["drug"], "observed": observed, "predicted": predicted})
    by_drug = values.groupby("drug")
    spread = np.sum((observed - by_drug["observed"].transform("mean").to_numpy()) ** 2)
    per_drug = [_pearson(g["observed"], g["predicted"]) for _, g in by_drug if len(g) >= MIN_CELLS_PER_DRUG]
    return {
        "rmse": float(np.sqrt(np.mean((observed - predicted) ** 2))),
        "mae": float(np.mean(np.abs(observed - predicted))),
        "r2": _r2(observed, predicted),
        "pearson": _pearson(observed, predicted),
        "spearman": float(spearmanr(observed, predicted).statistic),
        "per_drug_pearson": float(np.mean(per_drug)),
        "r2_within_drug": float(1 - np.sum((observed - predicted) ** 2) / spread),
        "n_test": len(table),
    }


def main() -> None:
    """Score every file that standard input lists."""
    tables = {entry["name"]: read_predictions(entry["file"], entry["model"]) for entry in json.load(sys.stdin)}
    first = next(iter(tables))
    for name, table in tables.items():
        check_same_pairs(name, table, first, tables[first])
    print(json.dumps({name: score(table) for name, table in tables.items()}))


if __name__ == "__main__":
    main()
