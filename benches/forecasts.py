"""Compares how much memory a fit is forecast to take with what it takes.

    python3 benches/forecasts.py --halfmax target/release/halfmax [--out FOLDER] [--sizes 900x2000x20000 ...] [--families kernel ...] [--commands train evaluate]

A size is cell lines x drugs x genes of a simulated screen. The forecast comes from a run that may take next to no memory (`--memory 1MB`) and is refused; the
second run is measured. A forecast should be between 0.8 and 1.5 of what is measured where fits are large. Standard library only.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys

from large_screen import make, measured

SETTINGS = {
    "kernel": "",
    "completion": "",
    "boost": "rounds = 8\n",
    "boost-vector": 'trees = "cell_vector"\nrounds = 300\nleaves = 4\n',
    "knn": "",
    "elastic_net": "features = 60\npenalty = 0.01\n",
    "pls": "features = 200\ncomponents = 3\n",
    "random_forest": "trees = 4\nfeatures = 20\n",
    "extra_trees": "trees = 4\nfeatures = 20\n",
    "neural": "epochs = 2\nmembers = 3\n",
    "drug_mean": "",
    "effects": "",
}


def megabytes(text):
    """A size of a message in MB."""
    number, unit = text.split()
    return float(number) * (1000.0 if unit == "GB" else 1.0)


def main():
    """Makes screens, runs fits, prints a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--halfmax", required=True)
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("forecasts"))
    arguments.add_argument("--sizes", nargs="+", default=["900x2000x20000", "450x4000x2000"])
    arguments.add_argument("--families", nargs="+", default=list(SETTINGS))
    arguments.add_argument("--commands", nargs="+", default=["train"])
    arguments.add_argument("--gaps", type=float, default=0.1)
    arguments.add_argument("--split", default="lco")
    given = arguments.parse_args()
    print("| size | family | command | forecast, MB | peak, MB | forecast / peak |\n|:--|:--|:--|--:|--:|--:|")
    for size in given.sizes:
        folder = given.out / size
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "wide.csv").exists():
            make(folder, *map(int, size.split("x")), given.gaps)
        for family in given.families:
            config = folder / f"{family}.toml"
            config.write_text(
                '[data]\nresponse = "long.csv"\n[[data.cells]]\nkind = "expression"\nfile = "expression.csv"\n'
                f'[target]\ncolumn = "auc"\n[split]\nkind = "{given.split}"\nfolds = 3\nonly_folds = [0]\n'
                f'[[model]]\nname = "model"\nfamily = "{family.split("-")[0]}"\n{SETTINGS[family]}',
                encoding="utf-8",
            )
            for command in given.commands:
                run = folder / "run"
                shutil.rmtree(run, ignore_errors=True)
                words = [given.halfmax, command, str(config), "--out", str(run), "--quiet"]
                refused = subprocess.run([*words, "--memory", "1MB"], capture_output=True, text=True, check=False).stderr
                found = re.search(r'needs about (\S+ [MG]B) of memory for model "model"' , refused)
                if not found:
                    print(f"| {size} | {family} | {command} | refused: {refused.strip().splitlines()[0][:160]} |", flush=True)
                    continue
                forecast = megabytes(found[1])
                _, peak, code, text = measured([*words, "--memory", "unlimited"])
                if code != 0:
                    sys.exit(text.decode(errors="replace"))
                print(f"| {size} | {family} | {command} | {forecast:.0f} | {peak:.0f} | {forecast / peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
