"""Fits the curves of files of readings that get longer and longer, and prints the time and the peak memory of each.

    python3 benches/long_readings.py --halfmax target/release/halfmax [--out FOLDER] [--readings 1650000 6600000 13200000] [--gzip]

The rows of a file are in random order, so that the readings of a curve lie anywhere in it: eight doses, up to three replicates, a column of plates. Each file
is read part by part, and the first once more as a whole: its curves must be the same to the last byte. Standard library only.
"""

import argparse
import filecmp
import gzip
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

DOSES = [0.01 * 3**step for step in range(8)]
READINGS_OF_A_CURVE = 24


def make(path, readings, packed):
    """A file of so many readings, about twenty-four to a curve."""
    draw = random.Random(readings)
    curves = max(1, readings // READINGS_OF_A_CURVE)
    lines = max(1, round(curves**0.5 * 1.75))
    with (gzip.open(path, "wt", compresslevel=1) if packed else open(path, "w", encoding="utf-8")) as out:
        out.write("cell_line,drug,dose_um,viability,plate\n")
        for _ in range(readings):
            curve, place = draw.randrange(curves), draw.randrange(READINGS_OF_A_CURVE)
            dose = DOSES[place % 8]
            # A number of its own for each curve, between 0 and 1.
            own = curve * 0.618033988749895 % 1.0
            left = 1.0 / (1.0 + (dose * 10 ** (4.0 * own - 2.0)) ** 1.2) + draw.gauss(0.0, 0.05)
            line, drug = curve % lines, curve // lines
            out.write(f"LINE-{line},Drug {drug},{dose:.5g},{left:.4f},P{place // 8 + 1}\n")


def measured(command):
    """Seconds and peak memory in MB of a command, which must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"exit status {process.returncode} from: {' '.join(command)}")
    # Bytes on macOS, kilobytes elsewhere.
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return time.perf_counter() - started, usage.ru_maxrss / unit


def main():
    """Makes the files, fits their curves, prints a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--halfmax", required=True)
    arguments.add_argument("--out", type=pathlib.Path, default=pathlib.Path("long-readings"))
    arguments.add_argument("--readings", type=int, nargs="+", default=[1_650_000, 6_600_000, 13_200_000])
    arguments.add_argument("--gzip", action="store_true")
    given = arguments.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print("| readings | file, MB | in parts | seconds | peak memory, MB |\n|--:|--:|:--|--:|--:|")
    for at, readings in enumerate(given.readings):
        path = given.out / (f"{readings}.csv.gz" if given.gzip else f"{readings}.csv")
        make(path, readings, given.gzip)
        curves = [given.out / "parts.csv", given.out / "whole.csv"]
        for out, more, words in zip(curves, [[], ["--part-size", "4096"]], ["yes", "no"]):
            if words == "no" and at > 0:
                continue
            command = [given.halfmax, "fit-curves", path, "--out", out, "--overwrite", "--quiet", *more]
            seconds, memory = measured([str(word) for word in command])
            size = path.stat().st_size / 1e6
            print(f"| {readings:,} | {size:.0f} | {words} | {seconds:.1f} | {memory:.0f} |", flush=True)
        if at == 0 and not filecmp.cmp(*curves, shallow=False):
            sys.exit("the curves differ")
        path.unlink()
    shutil.rmtree(given.out)


if __name__ == "__main__":
    main()
