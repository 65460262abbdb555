"""Contributions of features by LightGBM's pred_contrib, beside halfmax's.

Trains a LightGBM model of the size of `benches/boost.rs`, "shapley" (300 trees of 31 leaves on 2,000 genes and 256 bits), and
times pred_contrib on some rows; then runs that benchmark, and prints both as pairs a second and their ratio.

    pip install lightgbm==4.7.0 numpy
    python benches/peers/shapley.py
"""

import argparse
import re
import statistics
import subprocess
import time

import lightgbm as lgb
import numpy as np

CELLS, DRUGS, GENES, BITS = 913, 286, 2_000, 256


def pairs(rng, genes, bits, count):
    """Some pairs of cell line and drug, features side by side."""
    cells, drugs = rng.integers(CELLS, size=count), rng.integers(DRUGS, size=count)
    return np.hstack([genes[cells], bits[drugs]]), cells, drugs


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=2_000, help="rows that pred_contrib is timed on, three times")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    genes = rng.normal(size=(CELLS, GENES)).astype(np.float32)
    bits = (rng.random((DRUGS, BITS)) < 0.2).astype(np.float32)
    features, cells, drugs = pairs(rng, genes, bits, 20_000)
    weights = rng.normal(size=(GENES, BITS)) / 40
    target = np.einsum("ig,gb,ib->i", genes[cells][:, :50], weights[:50], bits[drugs], optimize=True)
    target += rng.normal(size=len(target))
    parameters = {
        "num_leaves": 31, "learning_rate": 0.1, "feature_fraction": 0.2, "verbose": -1,
        "num_threads": arguments.threads, "min_data_in_leaf": 5,
    }
    model = lgb.train(parameters, lgb.Dataset(features, target), num_boost_round=300)
    rows = features[: arguments.rows]
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        model.predict(rows, pred_contrib=True, num_threads=arguments.threads)
        seconds.append(time.perf_counter() - start)
    lightgbm = len(rows) / statistics.median(seconds)
    print(f"LightGBM {lgb.__version__}: {lightgbm:,.0f} pairs a second (median of 3 × {len(rows)} rows)")
    bench = ["cargo", "bench", "--workspace", "--bench", "boost", "--", "shapley", "--quick"]
    said = subprocess.run(bench, capture_output=True, text=True, check=True).stdout
    times = re.findall(r"time:\s+\[\S+ \S+ (\S+) (ms|s) ", said)
    for value, unit in times:
        took = float(value) / (1000 if unit == "ms" else 1)
        halfmax = CELLS * DRUGS / took
        print(f"halfmax: {halfmax:,.0f} pairs a second ({took:.2f} s for all), {halfmax / lightgbm:,.0f} times as many")


if __name__ == "__main__":
    main()
