"""Simulates a screen as large as PRISM's and prints the time and the peak memory of commands on it.

    python3 benches/large_screen.py --halfmax target/release/halfmax [OTHER ...] [--out FOLDER] [--cell-lines 900] [--drugs 6500] [--genes 20000]
        [--gaps 0.0] [--layouts long wide parquet] [--families knn boost] [--folds 3] [--commands check evaluate train score]

Every command runs once with each program; what it prints, and the numbers of its run, must be the same with all. `long` is a row for each response, `wide` a
matrix of cell lines × drugs, `parquet` both tables in Parquet (written by `halfmax data convert`). Standard library only.
"""

import argparse
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

FACTORS = 5


def numbers(draw, count):
    """So many numbers from a normal distribution."""
    return [draw.gauss(0.0, 1.0) for _ in range(count)]


def make(folder, lines, drugs, genes, gaps):
    """Expression and responses that follow a few common factors."""
    draw = random.Random(f"{lines} {drugs} {genes}")
    scores = [numbers(draw, FACTORS) for _ in range(lines)]
    names = [f"LINE-{line}" for line in range(lines)]
    with open(folder / "expression.csv", "w", encoding="utf-8") as out:
        loadings = [(draw.randrange(FACTORS), draw.gauss(0.0, 1.0), draw.uniform(2.0, 10.0)) for _ in range(genes)]
        out.write(",".join(["cell_line", *(f"GENE{gene}" for gene in range(genes))]) + "\n")
        for name, own in zip(names, scores):
            values = [f"{level + weight * own[factor] + draw.gauss(0.0, 1.0):.4f}" for factor, weight, level in loadings]
            out.write(name + "," + ",".join(values) + "\n")
    with open(folder / "drugs.csv", "w", encoding="utf-8") as out:
        out.write("drug\n" + "".join(f"BRD-K{drug:05}\n" for drug in range(drugs)))
    effects = [(draw.gauss(0.7, 0.1), numbers(draw, FACTORS)) for _ in range(drugs)]
    with open(folder / "long.csv", "w", encoding="utf-8") as long, open(folder / "wide.csv", "w", encoding="utf-8") as wide:
        long.write("cell_line,drug,auc\n")
        wide.write(",".join(["cell_line", *(f"BRD-K{drug:05}" for drug in range(drugs))]) + "\n")
        for name, own in zip(names, scores):
            row = []
            for drug, (level, weights) in enumerate(effects):
                value = level + 0.03 * sum(a * b for a, b in zip(own, weights)) + draw.gauss(0.0, 0.05)
                text = "" if draw.random() < gaps else f"{min(max(value, 0.0), 1.2):.4f}"
                row.append(text)
                if text:
                    long.write(f"{name},BRD-K{drug:05},{text}\n")
            wide.write(name + "," + ",".join(row) + "\n")


def configuration(folder, layout, family, folds):
    """Writes the configuration of a layout and a family."""
    responses, expression = {
        "long": ("long.csv", "expression.csv"),
        "wide": ("wide.csv", "expression.csv"),
        "parquet": ("parquet/responses.parquet", "parquet/expression.parquet"),
    }[layout]
    path = folder / f"{layout}-{family}.toml"
    path.write_text(
        f'[data]\nresponse = "{responses}"\n[[data.cells]]\nkind = "expression"\nfile = "{expression}"\n'
        f'[target]\ncolumn = "auc"\n[split]\nkind = "lco"\nfolds = {folds}\n[[model]]\nfamily = "{family}"\n',
        encoding="utf-8",
    )
    return path


def measured(command):
    """Seconds, peak memory in MB, exit code and output of a command."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    text = process.stdout.read() + process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    # Bytes on macOS, kilobytes elsewhere.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return time.perf_counter() - started, usage.ru_maxrss / unit, process.returncode, text


def digests(folder):
    """What a run says, but for the files that hold times."""
    same = ["predictions.parquet", "leaderboard.csv", "model.halfmax"]
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in same if (folder / name).exists()}


def main():
    """Makes the screen, runs the commands, prints a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--halfmax", required=True, nargs="+")
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("large-screen"))
    arguments.add_argument("--cell-lines", type=int, default=900)
    arguments.add_argument("--drugs", type=int, default=6500)
    arguments.add_argument("--genes", type=int, default=20000)
    arguments.add_argument("--gaps", type=float, default=0.0)
    arguments.add_argument("--layouts", nargs="+", default=["long", "wide", "parquet"])
    arguments.add_argument("--families", nargs="+", default=["knn"])
    arguments.add_argument("--folds", type=int, default=3)
    arguments.add_argument("--commands", nargs="+", default=["check", "evaluate"])
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if not (given.out / "wide.csv").exists():
        make(given.out, given.cell_lines, given.drugs, given.genes, given.gaps)
    if "parquet" in given.layouts and not (given.out / "parquet").exists():
        config = configuration(given.out, "long", "knn", given.folds)
        subprocess.run([given.halfmax[0], "data", "convert", config, "--out", given.out / "parquet", "--quiet"], check=True)
    print("| layout | family | command | program | seconds | peak memory, MB | exit code |\n|:--|:--|:--|:--|--:|--:|--:|")
    differ = False
    for layout in given.layouts:
        for family in given.families:
            config = configuration(given.out, layout, family, given.folds)
            for command in given.commands:
                found = []
                for at, program in enumerate(given.halfmax):
                    run = given.out / f"{command}-{at}"
                    shutil.rmtree(run, ignore_errors=True)
                    words = {
                        "check": ["data", "check", config],
                        "score": ["score", given.out / f"train-{at}" / "model.halfmax", "--cells", given.out / "expression.csv",
                                  "--drugs", given.out / "drugs.csv", "--out", given.out / f"scores-{at}.parquet", "--overwrite"],
                    }.get(command, [command, config, "--out", run])
                    seconds, memory, code, text = measured([program, *map(str, words)])
                    print(f"| {layout} | {family} | {command} | {at + 1} | {seconds:.1f} | {memory:.0f} | {code} |", flush=True)
                    if code != 0:
                        print(text.decode(errors="replace")[-1000:], file=sys.stderr)
                    found.append(digests(run) or text)
                if any(other != found[0] for other in found):
                    print("the outputs differ", file=sys.stderr)
                    differ = True
    sys.exit(int(differ))


if __name__ == "__main__":
    main()
