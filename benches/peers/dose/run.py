"""Sets halfmax beside the programs that fit dose–response curves, score dose matrices and fit response surfaces, and prints how they agree.

Example: python benches/peers/dose/run.py --out /tmp/dose --install /tmp/peers --oneil DIR
"""

import argparse
import os
import sys
from pathlib import Path

from install import Place, missing_python, tell_missing

BUILT_BINARY = Path(__file__).resolve().parents[3] / "target" / "release" / "halfmax"
PARTS = ("curves", "matrices", "surfaces", "oneil")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="halfmax beside drc, GRmetrics, gdscIC50, SynergyFinder, braidrm and Python's synergy")
    parser.add_argument("--out", type=Path, required=True, help="folder of readings and results; what is there isn't made again")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"what to compare: {','.join(PARTS)}")
    parser.add_argument("--curves", type=int, default=300, help="simulated curves in each regime")
    parser.add_argument("--matrices", type=int, default=40, help="simulated matrices in each regime")
    parser.add_argument("--oneil", type=Path, help="folder of O'Neil's single_agent_raw.csv and single_agent_fits_reference.csv")
    parser.add_argument("--halfmax", type=Path, default=BUILT_BINARY, help="the binary")
    parser.add_argument("--rscript", default="Rscript", help="the R to run; R_LIBS says where its packages are")
    parser.add_argument("--install", type=Path, metavar="DIR", help="install the peers that are missing into this folder first")
    options = parser.parse_args()
    options.halfmax = options.halfmax.resolve()
    if not options.halfmax.is_file():
        parser.error(f"{options.halfmax} is missing: build it with cargo build --release, or name another with --halfmax")
    options.out.mkdir(parents=True, exist_ok=True)
    options.out = options.out.resolve()
    unknown = set(options.parts.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"--parts: unknown {', '.join(sorted(unknown))}; known are {', '.join(PARTS)}")
    return options


def run_installed(options: argparse.Namespace) -> None:
    """Installs what is missing, and goes on with the Python and the R library of the folder."""
    place = Place(options.install.resolve())
    place.install_python()
    place.install_r(options.rscript)
    if Path(sys.prefix) != place.python.parents[1]:
        os.execve(place.python, [str(place.python), *sys.argv], place.environment)
    os.environ.update(place.environment)


def main() -> None:
    """Prints the tables of the parts asked for."""
    options = arguments()
    if options.install:
        run_installed(options)
    tell_missing(options.rscript)
    if missing_python():
        sys.exit("Nothing was compared: install the Python packages named above, or give --install DIR.")
    # Needs the packages.
    from comparison import Comparison

    comparison = Comparison(options)
    for part in options.parts.split(","):
        print(f"\n## {part}\n\n{getattr(comparison, part)()}", flush=True)


if __name__ == "__main__":
    main()
