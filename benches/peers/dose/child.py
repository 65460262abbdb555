"""Runs a tool as a process of its own and keeps its CPU seconds. A tool whose result is there already isn't run again."""

import json
import os
import subprocess
import time
from pathlib import Path


class Runner:
    """Runs tools whose results lie in one folder; `times.json` there keeps what each result cost."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._times = folder / "times.json"
        self.seconds: dict[str, float] = json.loads(self._times.read_text()) if self._times.exists() else {}

    def make(self, result: str, command: list[str | Path]) -> bool:
        """Makes the file `result` by `command`, run in the folder; says whether the file is there afterwards."""
        path = self.folder / result
        if path.exists():
            return True
        started = time.perf_counter()
        with (self.folder / f"{result}.log").open("w") as log:
            process = subprocess.Popen(list(map(str, command)), cwd=self.folder, stdout=log, stderr=log)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        print(f"{result}: {time.perf_counter() - started:.0f} s, {cpu:.1f} s of CPU", flush=True)
        if process.returncode:
            path.unlink(missing_ok=True)
            print(f"  failed with status {process.returncode}: see {path}.log", flush=True)
            return False
        self.seconds[result] = cpu
        self._times.write_text(json.dumps(self.seconds, indent=1))
        return path.exists()
