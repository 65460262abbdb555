"""Reads one table of expression, as CSV and as Parquet, with halfmax, polars and pandas: seconds and memory of each.

    .venv/bin/pip install polars pandas pyarrow numpy
    cargo build --release
    .venv/bin/python benches/peers/reading.py

What is timed: for halfmax the whole command `halfmax data check` on a configuration with that table and two drugs, from the
start of the process to its end: reading, the SHA-256, the checks, the join, the features in single precision. For the peers
`read_csv` or `read_parquet` alone, in a process of its own whose start and imports are not timed. Memory is the peak of the
process, for the peers with the interpreter. All runs take turns; medians are printed.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PEERS = {
    "polars": "import polars\nread = {'csv': polars.read_csv, 'parquet': polars.read_parquet}[kind]",
    "pandas": "import pandas\nread = {'csv': pandas.read_csv, 'parquet': pandas.read_parquet}[kind]",
    "pandas, engine pyarrow": "import pandas, pyarrow.csv\n"
    "read = {'csv': lambda file: pandas.read_csv(file, engine='pyarrow'), 'parquet': pandas.read_parquet}[kind]",
}

CHILD = """
import sys, time
kind, file = sys.argv[1:]
{imports}
start = time.perf_counter()
table = read(file)
seconds = time.perf_counter() - start
assert table.shape == ({lines}, {genes} + 1), table.shape
print(seconds)
"""


def arguments():
    parser = argparse.ArgumentParser(description="halfmax beside polars and pandas: reading one table of expression")
    parser.add_argument("--halfmax", type=Path, default=Path("target/release/halfmax"), help="the binary")
    parser.add_argument("--folder", type=Path, help="keep the made-up files in this folder (default: a temporary one)")
    parser.add_argument("--lines", type=int, default=1000, help="cell lines, the rows")
    parser.add_argument("--genes", type=int, default=20_000, help="genes, the columns")
    parser.add_argument("--threads", type=int, default=2, help="threads of every reader")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each reader")
    parser.add_argument("--json", type=Path, help="write every run to this file")
    return parser.parse_args()


def make_files(folder, lines, genes):
    """Writes made-up expression (six decimals, a tenth of it zero), responses to two drugs, and two configurations."""
    import numpy
    import polars

    random = numpy.random.default_rng(1)
    values = numpy.abs(random.normal(4.0, 2.5, (lines, genes))).round(6)
    values[random.random(values.shape) < 0.1] = 0.0
    names = [f"LINE-{at:04}" for at in range(1, lines + 1)]
    columns = {f"G{at:05}": values[:, at - 1] for at in range(1, genes + 1)}
    table = polars.DataFrame({"cell_line": names} | columns)
    table.write_csv(folder / "expression.csv", float_precision=6)
    table.write_parquet(folder / "expression.parquet")
    rows = [f"{name},{drug},{random.normal():.4f}" for name in names for drug in ("Drug A", "Drug B")]
    (folder / "responses.csv").write_text("\n".join(["cell_line,drug,LN_IC50", *rows]) + "\n")
    for kind in ("csv", "parquet"):
        (folder / f"{kind}.toml").write_text(
            '[data]\nresponse = "responses.csv"\n\n'
            f'[[data.cells]]\nkind = "expression"\nfile = "expression.{kind}"\n\n'
            '[target]\ncolumn = "LN_IC50"\n'
        )


def measured(command, environment):
    """Runs a command: its output, the seconds it took, and its peak memory in MB."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    output = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if child.returncode:
        sys.exit(f"{command[0]} failed ({child.returncode}): run it by hand: {' '.join(map(str, command))}")
    unit = 1 if sys.platform == "darwin" else 1024
    return output, seconds, usage.ru_maxrss * unit / 1e6


def run_once(reader, kind, folder, options, environment):
    if reader == "halfmax":
        command = [options.halfmax, "data", "check", folder / f"{kind}.toml"]
        _, seconds, memory = measured(command, environment)
        return seconds, memory
    program = CHILD.format(imports=PEERS[reader], lines=options.lines, genes=options.genes)
    command = [sys.executable, "-c", program, kind, folder / f"expression.{kind}"]
    output, _, memory = measured(command, environment)
    return float(output), memory


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        # In a process of its own: what starts from a large process counts that memory as its own.
        maker = multiprocessing.get_context("spawn").Process(
            target=make_files, args=(folder, options.lines, options.genes)
        )
        maker.start()
        maker.join()
        threads = str(options.threads)
        environment = os.environ | {
            name: threads for name in ("RAYON_NUM_THREADS", "POLARS_MAX_THREADS", "OMP_NUM_THREADS", "ARROW_NUM_THREADS")
        }
        runs = {}
        for _ in range(options.repeat):
            for kind in ("csv", "parquet"):
                for reader in ("halfmax", *PEERS):
                    if kind == "parquet" and reader.endswith("pyarrow"):
                        continue  # pandas reads Parquet with pyarrow anyway
                    run = run_once(reader, kind, folder, options, environment)
                    runs.setdefault(f"{reader}, {kind}", []).append(run)
        for kind in ("csv", "parquet"):
            size = (folder / f"expression.{kind}").stat().st_size / 1e6
            print(f"{options.lines:,} × {options.genes:,} as {kind}: {size:.0f} MB")
    print(f"{'reader':<34}{'seconds':>9}{'lowest':>9}{'peak MB':>9}   medians of {options.repeat}")
    for name, all_runs in runs.items():
        seconds, memory = zip(*all_runs)
        print(f"{name:<34}{statistics.median(seconds):>9.2f}{min(seconds):>9.2f}{statistics.median(memory):>9.0f}")
    if options.json:
        options.json.write_text(json.dumps(runs, indent=1))


if __name__ == "__main__":
    main()
