"""Child process: one peer library over the chosen folds. Writes `predictions.parquet` and `report.json` into --out."""

import argparse
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import xgboost

from screen import Screen, Table, read_screen

ROUNDS = 300
LEAVES = 31
LEARNING_RATE = 0.1
FEATURE_FRACTION = 0.2
ROW_FRACTION = 0.8
SEED = 2026

Predict = Callable[[np.ndarray], np.ndarray]
Fit = Callable[[list[Table], argparse.Namespace], tuple[Predict, dict[str, float]]]


def fit_lightgbm(table: list[Table], arguments: argparse.Namespace) -> tuple[Predict, dict[str, float]]:
    """Fit LightGBM on the table popped from `table`, so that it is freed once the Dataset is built."""
    parameters = {
        "objective": "regression",
        "num_leaves": LEAVES,
        "learning_rate": LEARNING_RATE,
        "feature_fraction": FEATURE_FRACTION,
        "bagging_fraction": ROW_FRACTION,
        "bagging_freq": 1,
        "num_threads": arguments.threads,
        "seed": SEED,
        "verbosity": -1,
    }
    started = time.perf_counter()
    joined = table.pop()
    dataset = lightgbm.Dataset(
        joined.values, joined.target, categorical_feature=joined.categorical, params=parameters, free_raw_data=True
    ).construct()
    del joined
    built = time.perf_counter()
    booster = lightgbm.train(parameters, dataset, ROUNDS)
    seconds = {"dataset_seconds": built - started, "train_seconds": time.perf_counter() - built}
    return lambda values: booster.predict(values, num_threads=arguments.threads), seconds


def fit_xgboost(table: list[Table], arguments: argparse.Namespace) -> tuple[Predict, dict[str, float]]:
    """Fit XGBoost on the table popped from `table`, so that it is freed once the QuantileDMatrix is built."""
    parameters = {
        "objective": "reg:squarederror",
        "tree_method": "hist",
        "grow_policy": "lossguide",
        "max_leaves": LEAVES,
        "max_depth": 0,
        "learning_rate": LEARNING_RATE,
        "subsample": ROW_FRACTION,
        f"colsample_by{arguments.xgboost_columns}": FEATURE_FRACTION,
        "nthread": arguments.threads,
        "seed": SEED,
    }
    started = time.perf_counter()
    joined = table.pop()
    categorical = set(joined.categorical)
    dataset = xgboost.QuantileDMatrix(
        joined.values,
        joined.target,
        feature_types=["c" if i in categorical else "q" for i in range(joined.values.shape[1])],
        enable_categorical=True,
        nthread=arguments.threads,
    )
    del joined
    built = time.perf_counter()
    booster = xgboost.train(parameters, dataset, ROUNDS)
    seconds = {"dataset_seconds": built - started, "train_seconds": time.perf_counter() - built}
    return lambda values: booster.inplace_predict(values, validate_features=False), seconds


PEERS: dict[str, Fit] = {"lightgbm": fit_lightgbm, "xgboost": fit_xgboost}


def run_fold(screen: Screen, fold: int, arguments: argparse.Namespace) -> tuple[pd.DataFrame, dict[str, float]]:
    """Fit on all other folds, predict `fold`; returns its predictions and what each step took in seconds."""
    test = np.flatnonzero(screen.pairs["fold"] == fold)
    train = np.flatnonzero(screen.pairs["fold"] != fold)
    started = time.perf_counter()
    genes = screen.variable_genes(train, arguments.genes)
    drug_means = screen.drug_means(train)
    table = [screen.join(train, genes, drug_means, identity=arguments.drug_identity)]
    columns = table[0].values.shape[1]
    train_joined = time.perf_counter() - started
    predict, seconds = PEERS[arguments.model](table, arguments)
    started = time.perf_counter()
    query = screen.join(test, genes, drug_means, identity=arguments.drug_identity).values
    joined = time.perf_counter()
    predicted = predict(query)
    timings = {
        "fold": fold,
        "n_train": len(train),
        "n_test": len(test),
        "columns": columns,
        "join_seconds": train_joined + joined - started,
        **seconds,
        "predict_seconds": time.perf_counter() - joined,
    }
    rows = screen.pairs.iloc[test]
    return rows.rename(columns={"response": "observed"}).assign(predicted=predicted), timings


def parse_arguments() -> argparse.Namespace:
    """Command line of the child; run.py writes it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, choices=sorted(PEERS))
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--splits", required=True, type=Path)
    parser.add_argument("--folds", required=True, type=int, nargs="+")
    parser.add_argument("--genes", type=int, help="most variable genes to keep; absent: all")
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--xgboost-columns", required=True, choices=["tree", "node"])
    parser.add_argument("--drug-identity", action="store_true")
    parser.add_argument("--out", required=True, type=Path)
    return parser.parse_args()


def main() -> None:
    """Read the screen, run every fold, write predictions and report."""
    arguments = parse_arguments()
    started = time.perf_counter()
    screen = read_screen(arguments.data, arguments.splits)
    report = {
        "read_seconds": time.perf_counter() - started,
        "pairs": len(screen.pairs),
        "cell_lines": len(screen.cell_names),
        "drugs": len(screen.drug_names),
        "notes": screen.notes,
    }
    predictions, folds = zip(*(run_fold(screen, fold, arguments) for fold in arguments.folds), strict=True)
    pd.concat(predictions).to_parquet(arguments.out / "predictions.parquet", index=False)
    report["folds"] = folds
    report["self_reported_maxrss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (arguments.out / "report.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
