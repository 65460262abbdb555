"""Checks that Python's lightgbm predicts from an exported model what halfmax predicts.

Trains small models of every kind of tree on a random screen with missing values and categories, exports them, scores
every pair with halfmax, and predicts the same pairs with `lightgbm.Booster`.

With `--contributions`, checks that `pred_contrib` of an exported model gives the contributions of halfmax instead. A test
writes the folder:

    HALFMAX_CONTRIBUTIONS=FOLDER cargo test -p halfmax-boost --test shapley contributions_are_written
    python tests/lightgbm/check_export.py --contributions FOLDER

`--update crates/halfmax-boost/tests/lightgbm` writes the model and LightGBM's contributions where a test that needs no
Python reads them.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd

TOLERANCE = 1e-5
CONTRIBUTION_TOLERANCE = 1e-4
CELLS, DRUGS, GENES = 90, 25, 30
TREES = ["box", "cell_vector", "drug_vector", "alternate"]
CONFIG = """
name = "export"
[data]
response = "response.csv"
drugs = "drugs.csv"
drug_features = {{ fingerprint_bits = 0, targets = true, target_pathway = true }}
[[data.cells]]
kind = "expression"
file = "expression.csv"
[[data.cells]]
kind = "category"
file = "category.csv"
[split]
kind = "{split}"
[[model]]
family = "boost"
trees = "{trees}"
rounds = 40
leaves = 12
min_leaf_entities = 2
min_leaf_weight = 5
feature_fraction = 0.5
"""


def write_screen(folder: Path) -> None:
    """A random screen: genes with gaps, a tissue, drugs with targets and pathways, most pairs measured."""
    rng = np.random.default_rng(7)
    cells = [f"CELL{i}" for i in range(CELLS)]
    drugs = [f"Drug {i}" for i in range(DRUGS)]
    genes = rng.normal(size=(CELLS, GENES)).round(3)
    genes[rng.random(genes.shape) < 0.1] = np.nan
    expression = pd.DataFrame(genes, columns=[f"GENE{i}" for i in range(GENES)])
    expression.insert(0, "cell_line", cells)
    expression.to_csv(folder / "expression.csv", index=False)
    tissues = rng.choice(["lung", "skin", "blood", None], CELLS, p=[0.4, 0.3, 0.2, 0.1])
    pd.DataFrame({"cell_line": cells, "tissue": tissues}).to_csv(folder / "category.csv", index=False)
    targets = [", ".join(rng.choice(["EGFR", "BRAF", "TOP1", "PARP1"], 2, replace=False)) for _ in drugs]
    pathways = rng.choice(["MAPK", "DNA", None], DRUGS)
    pd.DataFrame({"drug": drugs, "smiles": None, "targets": targets, "target_pathway": pathways}).to_csv(
        folder / "drugs.csv", index=False
    )
    signal = np.nan_to_num(genes[:, :1]) * rng.normal(size=DRUGS) + (tissues == "lung")[:, None] + rng.normal(
        size=DRUGS
    )
    response = signal + 0.3 * rng.normal(size=signal.shape)
    rows = [(c, d, response[i, j]) for i, c in enumerate(cells) for j, d in enumerate(drugs) if rng.random() < 0.8]
    pd.DataFrame(rows, columns=["cell_line", "drug", "LN_IC50"]).to_csv(folder / "response.csv", index=False)


def column_values(column: dict, folder: Path, tables: dict[str, pd.DataFrame], pairs: pd.DataFrame) -> np.ndarray:
    """The values of one column of the exported model for the pairs."""
    ids = pairs["cell_line" if column["side"] == "cell_line" else "drug"]
    if column["kind"] in ("mean_response", "training_number"):
        return ids.map(column["values"]).to_numpy(float)
    if column["kind"] == "target":
        held = tables["drugs"]["targets"].map(lambda text: column["feature"] in text.split(", "))
        return ids.map(held.astype(float)).to_numpy(float)
    source = {"expression": "expression", "target_pathway": "drugs"}.get(column["kind"], "category")
    values = tables[source][column["feature"]]
    if column["levels"] is not None:
        values = values.map({level: number for number, level in enumerate(column["levels"])})
    return ids.map(values).to_numpy(float)


def check(halfmax: Path, trees: str, split: str) -> float:
    """Trains, exports, scores and compares; returns the largest difference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_screen(folder)
        (folder / "config.toml").write_text(CONFIG.format(trees=trees, split=split))

        def run(*arguments: str) -> None:
            subprocess.run([halfmax, "--quiet", *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL)

        run("train", "config.toml", "--out", "run")
        run("export", "run/model.halfmax", "--format", "lightgbm", "--out", "model.txt")
        run(
            *["score", "run/model.halfmax", "--cells", "expression.csv", "category.csv"],
            *["--drugs", "drugs.csv", "--out", "scores.parquet"],
        )
        scores = pd.read_parquet(folder / "scores.parquet")
        tables = {
            "expression": pd.read_csv(folder / "expression.csv").set_index("cell_line"),
            "category": pd.read_csv(folder / "category.csv").set_index("cell_line"),
            "drugs": pd.read_csv(folder / "drugs.csv").set_index("drug"),
        }
        columns = json.loads((folder / "model.txt.columns.json").read_text())
        table = np.column_stack([column_values(column, folder, tables, scores) for column in columns])
        booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
        assert booster.feature_name() == [column["column"] for column in columns]
        predicted = booster.predict(table)
        assert len(scores) == CELLS * DRUGS and np.std(predicted) > 0.3, "the model learnt nothing"
        contributions = booster.predict(table[:200], pred_contrib=True)
        assert np.abs(contributions.sum(1) - predicted[:200]).max() < TOLERANCE, "contributions do not add up"
        return float(np.abs(predicted - scores["predicted"]).max())


def check_contributions(folder: Path, update: Path | None) -> float:
    """Compares the contributions of a folder with LightGBM's; returns the largest difference."""
    written = json.loads((folder / "table.json").read_text())
    booster = lightgbm.Booster(model_file=str(folder / "model.txt"))
    table = np.array(written["rows"], float)
    expected = booster.predict(table, pred_contrib=True)
    assert np.abs(expected.sum(1) - booster.predict(table)).max() < TOLERANCE, "LightGBM's do not add up"
    assert (np.abs(expected[:, :-1]).max(0) > 0.01).sum() > 5, "hardly any column contributes"
    if update:
        shutil.copy(folder / "model.json", update / "model.json")
        (update / "contributions.json").write_text(json.dumps(expected.round(7).tolist(), separators=(",", ":")))
    return float(np.abs(expected - np.array(written["contributions"])).max())


def check_predictions(halfmax: Path) -> int:
    """Checks every kind of tree; returns how many differ."""
    failed = 0
    for trees in TREES:
        for split in ("lco", "ldo", "lpo"):
            difference = check(halfmax, trees, split)
            failed += difference > TOLERANCE
            print(f"{trees:<12} {split}  largest difference {difference:.1e}")
    print(f"{len(TREES) * 3 - failed} passed, {failed} failed")
    return failed


def main() -> None:
    """Checks predictions, contributions, or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--halfmax", type=Path, help="the binary, to check predictions")
    parser.add_argument("--contributions", type=Path, metavar="FOLDER", help="what a test wrote, to check contributions")
    parser.add_argument("--update", type=Path, metavar="FOLDER", help="where to write LightGBM's contributions")
    arguments = parser.parse_args()
    if not (arguments.halfmax or arguments.contributions):
        parser.error("give --halfmax, --contributions or both")
    failed = 0
    if arguments.halfmax:
        failed += check_predictions(arguments.halfmax.resolve())
    if arguments.contributions:
        difference = check_contributions(arguments.contributions, arguments.update)
        failed += difference > CONTRIBUTION_TOLERANCE
        print(f"contributions  largest difference {difference:.1e}")
    raise SystemExit(failed > 0)


if __name__ == "__main__":
    main()
