"""Sets halfmax beside the programs that fit dose–response curves and score dose matrices, and prints how they agree.

Example: python benches/peers/dose/run.py --out /tmp/dose --oneil DIR
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import tables_curves
import tables_matrices
import tables_oneil
from child import Runner
from compare import markdown
from simulate_curves import REGIMES as CURVE_REGIMES
from simulate_matrices import REGIMES as MATRIX_REGIMES

HERE = Path(__file__).resolve().parent
BUILT_BINARY = HERE.parents[2] / "target" / "release" / "halfmax"
FITTERS = {"drc": "drc", "drc_top": "drc", "GRmetrics": "GRmetrics", "gdscIC50": "gdscIC50"}
LABELS = {"drc": "drc", "drc_top": "drc, top 1", "GRmetrics": "GRmetrics", "gdscIC50": "gdscIC50"}
PARTS = ("curves", "matrices", "oneil")


def has_r_package(rscript: str, package: str) -> bool:
    """Whether R is there and has the package."""
    if shutil.which(rscript) is None:
        return False
    test = f'quit(status = !requireNamespace("{package}", quietly = TRUE))'
    return subprocess.run([rscript, "-e", test], capture_output=True, check=False).returncode == 0


class Comparison:
    """Runs every tool that is installed on the same files."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.runner = Runner(options.out)
        self.folder: Path = options.out
        packages = {*FITTERS.values(), "synergyfinder"}
        self.packages = {package for package in packages if has_r_package(options.rscript, package)}
        for package in sorted(packages - self.packages):
            print(f"{package}: not installed in R, left out", flush=True)

    def python(self, script: str, *arguments: str | Path) -> list[str | Path]:
        """The command that runs a Python script of this folder."""
        return [sys.executable, HERE / script, *arguments]

    def r(self, script: str, *arguments: str | Path) -> list[str | Path]:
        """The command that runs an R script of this folder."""
        return [self.options.rscript, HERE / script, *arguments]

    def fit(self, readings: str, out: str, *flags: str) -> bool:
        """Fits curves with halfmax."""
        command = [self.options.halfmax, "fit-curves", f"{readings}.csv", "--quiet", "--out", out, *flags]
        return self.runner.make(out, command)

    def fit_peers(self, readings: str) -> dict[str, str]:
        """Fits curves with every peer; their files by name."""
        made = {}
        for peer, package in FITTERS.items():
            out = f"fits_{peer}_{readings}.csv"
            if package in self.packages and self.runner.make(out, self.r("curves.R", peer, f"{readings}.csv", out)):
                made[peer] = out
        return made

    def curves(self) -> str:
        """The simulated curves."""
        if self.packages.isdisjoint(FITTERS.values()):
            return "Not compared: none of the R packages that fit curves is installed."
        simulate = self.python("simulate_curves.py", "--out", ".", "--curves", str(self.options.curves))
        self.runner.make("curves_truth.csv", simulate)
        fits: dict[str, tables_curves.Fits] = {}
        results: dict[str, list[str]] = {}
        for readings in (f"curves_{at:02}" for at in range(len(CURVE_REGIMES))):
            self.fit(readings, f"fits_halfmax_{readings}.csv")
            self.fit(readings, f"fits_halfmax_top_{readings}.csv", "--fixed-top")
            fits[readings] = {
                "halfmax": tables_curves.read_halfmax(self.folder / f"fits_halfmax_{readings}.csv"),
                "halfmax, top 1": tables_curves.read_halfmax(self.folder / f"fits_halfmax_top_{readings}.csv"),
            }
            results.setdefault("halfmax", []).append(f"fits_halfmax_{readings}.csv")
            for peer, file in self.fit_peers(readings).items():
                fits[readings][LABELS[peer]] = tables_curves.read_peer(self.folder / file, "delta")
                results.setdefault(LABELS[peer], []).append(file)
                if peer == "drc":
                    fits[readings][tables_curves.ON_LOGS] = tables_curves.read_peer(self.folder / file, "tfls")
        speed = self.throughput("curves", self.options.curves, results)
        return "\n\n".join([tables_curves.tables(self.folder, fits), speed])

    def matrices(self) -> str:
        """The simulated matrices."""
        options = ["--out", ".", "--matrices", str(self.options.matrices)]
        self.runner.make("matrices_truth.csv", self.python("simulate_matrices.py", *options))
        # No peer gives intervals of averaged readings, so that halfmax gives none either.
        flags = ["--quiet", "--bootstrap", "0", "--out", "scores_halfmax.csv"]
        commands = {"halfmax": ("scores_halfmax.csv", [self.options.halfmax, "synergy", "matrices.csv", *flags])}
        if "synergyfinder" in self.packages:
            out = "scores_synergyfinder.csv"
            commands["SynergyFinder"] = (out, self.r("matrices.R", "matrices.csv", out))
        out = "scores_synergy.csv"
        commands["synergy (Python)"] = (out, self.python("matrices_python.py", "matrices.csv", out))
        files = {name: file for name, (file, command) in commands.items() if self.runner.make(file, command)}
        results = {name: [file] for name, file in files.items()}
        speed = self.throughput("matrices", self.options.matrices * len(MATRIX_REGIMES), results)
        return "\n\n".join([tables_matrices.tables(self.folder, files), speed])

    def oneil(self) -> str:
        """The single agents of O'Neil's screen."""
        source = self.options.oneil
        if source is None or not (source / "single_agent_raw.csv").exists():
            return "O'Neil's single agents: not compared, since --oneil names no folder that has single_agent_raw.csv"
        self.runner.make("oneil_published.csv", self.python("oneil.py", source.resolve(), "."))
        self.fit("oneil", "fits_halfmax_oneil.csv")
        self.fit("oneil", "fits_plain_oneil.csv", "--hill-prior", "none")
        peers = self.fit_peers("oneil")
        files = {"halfmax": "fits_halfmax_oneil.csv", "halfmax, plain least squares": "fits_plain_oneil.csv"}
        files |= {LABELS[peer]: file for peer, file in peers.items()}
        return tables_oneil.tables(self.folder, files, "fits_plain_oneil.csv")

    def throughput(self, what: str, count: int, results: dict[str, list[str]]) -> str:
        """How many a CPU second each tool did, whole processes, and how many times more halfmax does; `count` to a result."""
        speeds = {}
        for name, files in results.items():
            seconds = [self.runner.seconds[file] for file in files if file in self.runner.seconds]
            if seconds:
                speeds[name] = count * len(seconds) / sum(seconds)
        rows = [[name, f"{speed:,.1f}", f"{speeds['halfmax'] / speed:,.0f}"] for name, speed in speeds.items()]
        return markdown([what, "a CPU second", "halfmax times as many"], rows)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="halfmax beside drc, GRmetrics, gdscIC50, SynergyFinder and Python's synergy")
    parser.add_argument("--out", type=Path, required=True, help="folder of readings and results; what is there isn't made again")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"what to compare: {','.join(PARTS)}")
    parser.add_argument("--curves", type=int, default=300, help="simulated curves in each regime")
    parser.add_argument("--matrices", type=int, default=40, help="simulated matrices in each regime")
    parser.add_argument("--oneil", type=Path, help="folder of O'Neil's single_agent_raw.csv and single_agent_fits_reference.csv")
    parser.add_argument("--halfmax", type=Path, default=BUILT_BINARY, help="the binary")
    parser.add_argument("--rscript", default="Rscript", help="the R to run; R_LIBS says where its packages are")
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


def main() -> None:
    """Prints the tables of the parts asked for."""
    options = arguments()
    comparison = Comparison(options)
    for part in options.parts.split(","):
        print(f"\n## {part}\n\n{getattr(comparison, part)()}", flush=True)


if __name__ == "__main__":
    main()
