"""Tables of O'Neil's single agents: IC50 of the tools against the published ones and against GDSC's mixed model."""

from pathlib import Path

import numpy as np
import pandas as pd

from compare import markdown

KEY = ["cell_line", "drug"]
STEEP = 9.5


def agreement(title: str, tools: dict[str, pd.Series], reference: pd.Series, doses: pd.DataFrame, steep: pd.Series) -> str:
    """One row per tool and choice of curves: those with both IC50 within the tested doses, and of those the steep ones."""
    rows = []
    for name, found in tools.items():
        both = pd.DataFrame({"found": found, "reference": reference}).reindex(doses.index)
        inside = both.ge(doses["low"], axis=0).all(axis=1) & both.le(doses["high"], axis=0).all(axis=1)
        logs = both[inside].map(np.log10)
        for kind, chosen in {"all": logs, f"Hill > {STEEP}": logs[steep.reindex(logs.index, fill_value=False)]}.items():
            off = chosen["found"] - chosen["reference"]
            correlation = chosen["found"].corr(chosen["reference"])
            figures = [f"{correlation:.3f}", f"{off.median():+.3f}", f"{off.abs().median():.3f}"]
            rows.append([f"{name}, {kind}", str(len(chosen)), *figures])
    header = [f"IC50 against {title}", "curves", "Pearson of log10", "median difference, decades", "median of its size"]
    return markdown(header, rows)


def tables(folder: Path, files: dict[str, str], plain: str) -> str:
    """Both tables; `files` has each tool's fits, `plain` those by least squares whose Hill slopes tell what is steep."""

    def ic50(name: str) -> pd.Series:
        table = pd.read_csv(folder / name).rename(columns={"ic50_um": "ic50"})
        return table.set_index(KEY)["ic50"]

    readings = pd.read_csv(folder / "oneil.csv")
    within = readings.groupby(KEY)["dose_um"].agg(["min", "max"]).set_axis(["low", "high"], axis=1)
    published = pd.read_csv(folder / "oneil_published.csv").set_index(KEY)
    least_squares = pd.read_csv(folder / plain).set_index(KEY)
    tools = {name: ic50(file) for name, file in files.items()}
    steep_published, steep_plain = published["hill"] > STEEP, least_squares["hill"] > STEEP
    parts = [
        agreement("the published fits (steep: published Hill)", tools, published["ic50"], within, steep_published),
        agreement("the published fits (steep: plain least squares)", tools, published["ic50"], within, steep_plain),
    ]
    if "gdscIC50" in tools:
        others = {name: found for name, found in tools.items() if name != "gdscIC50"}
        title = "gdscIC50's mixed model (steep: plain least squares)"
        parts.append(agreement(title, others, tools["gdscIC50"], within, steep_plain))
    return "\n\n".join(parts)
