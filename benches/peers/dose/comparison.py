"""Runs halfmax and its peers on the same files: which tool runs on what."""

import argparse
import sys
from pathlib import Path

import tables_curves
import tables_fits
import tables_matrices
import tables_oneil
from child import Runner
from compare import markdown
from install import R_PACKAGES, has_r_package
from simulate_curves import REGIMES as CURVE_REGIMES
from simulate_matrices import REGIMES as MATRIX_REGIMES

HERE = Path(__file__).resolve().parent
FITTERS = {"drc": "drc", "drc_top": "drc", "GRmetrics": "GRmetrics", "gdscIC50": "gdscIC50"}
LABELS = {"drc": "drc", "drc_top": "drc, top 1", "GRmetrics": "GRmetrics", "gdscIC50": "gdscIC50"}


class Comparison:
    """Runs every tool that is installed on the same files."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.runner = Runner(options.out)
        self.folder: Path = options.out
        self.packages = {package for package in R_PACKAGES if has_r_package(options.rscript, package)}

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

    def simulate_matrices(self) -> None:
        """Makes the matrices, unless they are there."""
        options = ["--out", ".", "--matrices", str(self.options.matrices)]
        self.runner.make("matrices_truth.csv", self.python("simulate_matrices.py", *options))

    def matrices(self) -> str:
        """Scores of the simulated matrices."""
        self.simulate_matrices()
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

    def surfaces(self) -> str:
        """Response surfaces of the simulated matrices."""
        self.simulate_matrices()
        cells, blocks = "fits_halfmax_matrices.csv", "fits_halfmax_blocks.csv"
        flags = ["--quiet", "--bootstrap", "0", "--fits", "musyc,braid", "--out", cells, "--summary", blocks]
        tools, results = {}, {}
        if self.runner.make(cells, [self.options.halfmax, "synergy", "matrices.csv", *flags]):
            tools["halfmax"] = tables_fits.read_halfmax(self.folder / cells, self.folder / blocks)
            results["halfmax"] = [cells]
        out = "fits_braidrm_matrices.csv"
        if "braidrm" in self.packages and self.runner.make(out, self.r("fits.R", "matrices.csv", out)):
            tools["braidrm"] = tables_fits.read_peer(self.folder / out)
            tools["braidrm, prior on κ"] = tables_fits.read_peer(self.folder / out, "_moderate")
            results["braidrm (BRAID, with and without prior)"] = [out]
        out = "fits_synergy_matrices.csv"
        if self.runner.make(out, self.python("fits_python.py", "matrices.csv", out)):
            tools["synergy (Python)"] = tables_fits.read_peer(self.folder / out)
            results["synergy (Python)"] = [out]
        if "halfmax" not in tools or len(tools) == 1:
            return "Not compared: neither braidrm nor synergy fitted surfaces."
        speed = self.throughput("matrices", self.options.matrices * len(MATRIX_REGIMES), results)
        return "\n\n".join([tables_fits.tables(self.folder, tools), speed])

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
