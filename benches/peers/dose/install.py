"""Says which peers are installed, and installs them into a folder of their own. Needs nothing but Python itself."""

import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"
CRAN = "https://cloud.r-project.org"
# How each R package is installed into the first library of R_LIBS.
R_PACKAGES = {
    "drc": 'install.packages("drc")',
    "braidrm": 'install.packages("braidrm")',
    "GRmetrics": 'BiocManager::install("GRmetrics", ask = FALSE, update = FALSE)',
    "synergyfinder": 'BiocManager::install("synergyfinder", ask = FALSE, update = FALSE)',
    "gdscIC50": 'remotes::install_github("CancerRxGene/gdscIC50", upgrade = "never")',
}
# What installs others.
INSTALLERS = {"BiocManager": 'install.packages("BiocManager")', "remotes": 'install.packages("remotes")'}


def has_r_package(rscript: str, package: str, environment: dict[str, str] | None = None) -> bool:
    """Whether R is there and has the package."""
    if shutil.which(rscript) is None:
        return False
    test = f'quit(status = !requireNamespace("{package}", quietly = TRUE))'
    return subprocess.run([rscript, "-e", test], env=environment, capture_output=True, check=False).returncode == 0


def missing_python() -> list[str]:
    """The Python packages of the list that aren't there in the version asked for."""
    from importlib.metadata import PackageNotFoundError, version

    missing = []
    for line in REQUIREMENTS.read_text().split():
        name, wanted = line.split("==")
        try:
            found = version(name)
        except PackageNotFoundError:
            found = None
        if found != wanted:
            missing.append(f"{line} ({'not installed' if found is None else f'{found} is installed'})")
    return missing


def tell_missing(rscript: str) -> None:
    """Says what is not there, and what is then not compared."""
    for package in missing_python():
        print(f"Python package {package}")
    if shutil.which(rscript) is None:
        print(f"{rscript}: not found, so that no R package is compared (Debian and Ubuntu: apt-get install r-base-core)")
        return
    for package in R_PACKAGES:
        if not has_r_package(rscript, package):
            print(f"R package {package}: not installed, left out")


def reason(log: str) -> str:
    """The first line of what R said that tells why; the last one where none does."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    telling = [line for line in lines if any(word in line for word in ("cannot", "not available", "Error", "ERROR"))]
    return [*telling[:1], *lines[-1:], "R said nothing"][0]


@dataclass(frozen=True)
class Place:
    """The folder that peers are installed into."""

    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter that has the Python packages."""
        return self.folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which R finds the packages; those of the user's own libraries after them."""
        libraries = [str(self.folder / "R"), os.environ.get("R_LIBS", "")]
        return os.environ | {"R_LIBS": os.pathsep.join(filter(None, libraries))}

    def install_python(self) -> None:
        """Makes the virtual environment and installs the list into it."""
        if not self.python.exists():
            venv.create(self.folder / "venv", with_pip=True)
        command = [self.python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS]
        if subprocess.run(list(map(str, command)), check=False).returncode:
            sys.exit(f"{REQUIREMENTS.name}: not installed; pip says why above")

    def install_r(self, rscript: str) -> None:
        """Installs the R packages that aren't there, each by itself, so that one that fails leaves the others."""
        if shutil.which(rscript) is None:
            return
        library = self.folder / "R"
        library.mkdir(parents=True, exist_ok=True)
        missing = {package: command for package, command in R_PACKAGES.items() if not has_r_package(rscript, package, self.environment)}
        needed = {name: command for name, command in INSTALLERS.items() if any(name in other for other in missing.values())}
        for package, command in (needed | missing).items():
            if has_r_package(rscript, package, self.environment):
                continue
            log = self.folder / f"{package}.log"
            print(f"{package}: being installed, see {log}", flush=True)
            with log.open("w") as text:
                line = f'options(repos = "{CRAN}"); {command}'
                subprocess.run([rscript, "-e", line], env=self.environment, stdout=text, stderr=text, check=False)
            if not has_r_package(rscript, package, self.environment):
                print(f"{package}: could not be installed: {reason(log.read_text())}", flush=True)
