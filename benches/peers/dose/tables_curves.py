"""Tables of the simulated curves: errors of IC50 and EC50, and how often 95 % intervals hold the truth."""

from pathlib import Path

import numpy as np
import pandas as pd

from compare import duel, markdown, rms

KEY = ["cell_line", "drug"]
WHAT = {"ic50": "IC50", "ec50": "EC50"}
ON_LOGS = "drc, log"

# The fits of one file of readings, by tool; and with them the truth of its curves.
Fits = dict[str, pd.DataFrame]
Part = tuple[pd.DataFrame, Fits]


def read_halfmax(file: Path) -> pd.DataFrame:
    """The fits of halfmax; an interval without an end is open there."""
    fits = pd.read_csv(file)
    table = fits[KEY].copy()
    for what in WHAT:
        table[what] = fits[f"{what}_um"]
        known = fits[f"{what}_um"].notna() & (fits[[f"{what}_lower_um", f"{what}_upper_um"]].notna().any(axis=1))
        table[f"{what}_lower"] = fits[f"{what}_lower_um"].fillna(0.0).where(known)
        table[f"{what}_upper"] = fits[f"{what}_upper_um"].fillna(np.inf).where(known)
    return table.set_index(KEY)


def read_peer(file: Path, interval: str) -> pd.DataFrame:
    """The fits of a peer, with the intervals that it has under the name `interval`."""
    fits = pd.read_csv(file).set_index(KEY)
    ends = {f"{what}_{end}_{interval}": f"{what}_{end}" for what in WHAT for end in ("lower", "upper")}
    return fits.rename(columns=ends)


def decades(fits: pd.DataFrame, truth: pd.DataFrame, what: str) -> pd.Series:
    """Errors of log10 where both the fit and the truth lie within the tested doses."""
    within = fits[what].between(truth["low"], truth["high"]) & truth[what].between(truth["low"], truth["high"])
    return (np.log10(fits[what].where(within)) - np.log10(truth[what].where(within))).astype(float)


def errors(what: str, parts: dict[str, Part]) -> str:
    """Root mean square errors in decades, one row per regime, over curves to which every tool gives a value within the doses."""
    found = (name for _, tools in parts.values() for name, fits in tools.items() if fits[what].notna().any())
    names = [name for name in dict.fromkeys(found) if name != ON_LOGS]
    rows = []
    for regime, (truth, tools) in parts.items():
        off = pd.DataFrame({name: decades(tools[name], truth, what) for name in names if name in tools})
        there = truth[what].between(truth["low"], truth["high"])
        squares = off.dropna() ** 2
        given = 100.0 * off[there].notna().mean()
        result = duel(squares, pd.Series(range(len(squares)), index=squares.index))
        low, high = result.interval
        figures = [f"{rms(squares[name]):.4f} ({given[name]:.0f})" if name in squares else "" for name in names]
        difference = f"{result.halfmax - result.peer:+.4f} [{low:+.4f}, {high:+.4f}]"
        rows.append([regime, *figures, str(len(squares)), difference, result.verdict])
    return markdown([f"{WHAT[what]}, RMS decades", *names, "curves", "halfmax less best peer", "better"], rows)


def coverage(parts: dict[str, Part]) -> str:
    """How many of the intervals given hold the truth, in percent, and, in brackets, how many curves have one."""
    header: list[str] = ["95 % intervals that hold the truth"]
    rows: list[list[str]] = []
    for regime, (truth, tools) in parts.items():
        row = [regime]
        for what, title in WHAT.items():
            there = np.isfinite(truth[what])
            for name, fits in tools.items():
                if f"{what}_lower" not in fits:
                    continue
                if len(rows) == 0:
                    header.append(f"{title} {name}")
                lower, upper = (fits[f"{what}_{end}"][there] for end in ("lower", "upper"))
                has = lower.notna() & upper.notna()
                held = (lower <= truth[what][there]) & (upper >= truth[what][there])
                row.append(f"{100.0 * held[has].mean():.1f} ({100.0 * has.mean():.0f})")
        rows.append(row)
    return markdown(header, rows)


def tables(folder: Path, fits: dict[str, Fits]) -> str:
    """All tables of the curves; `fits` has, by file of readings, what the tools made of it."""
    truths = pd.read_csv(folder / "curves_truth.csv")
    parts: dict[str, Part] = {}
    for file, tools in fits.items():
        truth = truths[truths["file"] == file]
        indexed = truth.set_index(KEY)
        parts[truth["regime"].iloc[0]] = (indexed, {name: table.reindex(indexed.index) for name, table in tools.items()})
    return "\n\n".join([errors("ic50", parts), errors("ec50", parts), coverage(parts)])
