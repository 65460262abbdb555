"""What one run of one model cost: child processes, their wall-clock time and their peak memory.

Standard library only. A child starts with the peak memory of its parent on its account, so the process that measures
has to stay small: nothing here may import numpy or the like.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class ChildFailed(Exception):
    """A model's process ended with an error."""


@dataclass(frozen=True)
class Usage:
    """Wall-clock seconds and peak resident memory of a whole process."""

    wall_seconds: float
    peak_mb: float


@dataclass(frozen=True)
class Measurement:
    """One run of one model, seconds summed over its folds; None where the model has no such step of its own."""

    read_seconds: float | None
    join_seconds: float | None
    dataset_seconds: float | None
    train_seconds: float
    predict_seconds: float
    usage: Usage
    predictions: Path
    predictions_model: str | None
    details: dict

    @property
    def fit_seconds(self) -> float:
        """Dataset and training together: the step that every model has."""
        return (self.dataset_seconds or 0.0) + self.train_seconds


def run_child(command: list[str], threads: int) -> Usage:
    """Run `command` to its end with its output on standard error; raises ChildFailed unless it exits with 0."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=sys.stderr, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise ChildFailed(f"exit status {process.returncode} from: {' '.join(command)}")
    return Usage(wall_seconds, usage.ru_maxrss * MAXRSS_BYTES / 1e6)
