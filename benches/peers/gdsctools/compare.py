"""`halfmax associate` beside the ANOVA of gdsctools, on the data that gdsctools ships: IC50 of 265 drugs and 677 events, version 17.

    python3.11 -m venv .venv
    .venv/bin/pip install -r benches/peers/gdsctools/requirements.txt
    .venv/bin/pip install --no-deps gdsctools==1.0.1 reports
    cargo build --release
    .venv/bin/python benches/peers/gdsctools/compare.py --halfmax target/release/halfmax --drugs 20

Both fit the same linear model: the response on tissue, microsatellite instability and one event. Prints the largest difference of
p values, effects and effect sizes, and the seconds of both. gdsctools is single-threaded; halfmax has RAYON_NUM_THREADS threads.
"""

import argparse
import contextlib
import io
import os
import subprocess
import sysconfig
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
import easydev
import numpy
import pandas
import statsmodels.formula.api
from statsmodels.regression.linear_model import OLS

# gdsctools expects these where they were in 2018.
statsmodels.formula.api.OLS = OLS
easydev.get_package_location = lambda name: sysconfig.get_paths()["purelib"]
import gdsctools
from gdsctools import ANOVA

CONFIG = """
[data]
response = "responses.csv"
[[data.cells]]
file = "events.csv"
kind = "events"
[target]
column = "LN_IC50"
[associate]
covariates = ["tissue", "MSI_FACTOR"]
general_sensitivity = false
leave_out = ["mechanism"]
max_p = 1.0
strongest = 0
"""


def by_gdsctools(data, drugs):
    """The table of gdsctools, and its seconds."""
    with contextlib.redirect_stdout(io.StringIO()):
        anova = ANOVA(f"{data}/IC50_v17.csv.gz", f"{data}/genomic_features_v17.csv.gz")
        names = list(anova.ic50.drugIds[:drugs])
        start = time.perf_counter()
        tables = [anova.anova_one_drug(name) for name in names]
        seconds = time.perf_counter() - start
    table = pandas.concat(getattr(table, "df", table) for table in tables)
    return names, table, seconds


def by_halfmax(halfmax, data, names):
    """The table of halfmax, and its seconds with reading and writing."""
    wide = pandas.read_csv(f"{data}/IC50_v17.csv.gz").set_index("COSMIC_ID")
    numbers = [str(column).split("_") for column in wide.columns]
    wide.columns = [int(next((part for part in parts if part.isdigit()), -1)) for parts in numbers]
    long = wide[names].melt(ignore_index=False, var_name="drug", value_name="LN_IC50").dropna().reset_index()
    long["drug"] = "drug " + long.drug.astype(str)
    events = pandas.read_csv(f"{data}/genomic_features_v17.csv.gz")
    with tempfile.TemporaryDirectory() as folder:
        long.rename(columns={"COSMIC_ID": "cell_line"}).to_csv(f"{folder}/responses.csv", index=False)
        events.rename(columns={"COSMIC_ID": "cell_line"}).to_csv(f"{folder}/events.csv", index=False)
        with open(f"{folder}/config.toml", "w") as file:
            file.write(CONFIG)
        start = time.perf_counter()
        command = [os.path.abspath(halfmax), "associate", "config.toml", "--out", "run", "--quiet"]
        subprocess.run(command, cwd=folder, check=True)
        seconds = time.perf_counter() - start
        return pandas.read_parquet(f"{folder}/run/associations.parquet"), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--halfmax", default="target/release/halfmax")
    parser.add_argument("--drugs", type=int, default=20)
    options = parser.parse_args()
    data = os.path.join(os.path.dirname(gdsctools.__file__), "data")
    names, theirs, slow = by_gdsctools(data, options.drugs)
    ours, fast = by_halfmax(options.halfmax, data, names)
    theirs["drug"] = "drug " + theirs.DRUG_ID.astype(str)
    both = theirs.merge(ours, left_on=["drug", "FEATURE"], right_on=["drug", "feature"])
    print(f"tests: gdsctools {theirs.ANOVA_FEATURE_pval.notna().sum()}, halfmax {len(ours)}, both {len(both)}")
    pairs = {
        "p value": ("ANOVA_FEATURE_pval", "p"),
        "difference of means": ("FEATURE_delta_MEAN_IC50", "difference"),
        "Cohen's d": ("FEATURE_IC50_effect_size", "cohens_d"),
        "Glass' Δ of carriers": ("FEATURE_pos_Glass_delta", "glass_delta_carriers"),
        "Glass' Δ of others": ("FEATURE_neg_Glass_delta", "glass_delta_others"),
    }
    for name, (theirs, ours) in pairs.items():
        a, b = both[theirs].astype(float), both[ours].astype(float)
        # gdsctools gives effect sizes without a sign.
        b = b if (a < 0).any() else b.abs()
        known = a.notna() & b.notna()
        gap = (a - b)[known].abs()
        at = numpy.argmax(gap)
        print(f"{name}: largest difference {gap.max():.2e} of {known.sum()} (median {gap.median():.1e}; {both[known].iloc[at].FEATURE})")
    print(f"seconds: gdsctools {slow:.1f}, halfmax {fast:.2f} with reading and writing; ratio {slow / fast:.0f}")


if __name__ == "__main__":
    main()
