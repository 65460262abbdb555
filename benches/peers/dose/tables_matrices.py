"""Tables of the simulated matrices: HSA and Bliss of the tools against each other, ZIP and Loewe against the truth."""

from pathlib import Path

import pandas as pd

from compare import duel, markdown, rms

KEY = ["block_id", "dose_a", "dose_b"]
MODELS = ("hsa", "bliss", "zip", "loewe")


def with_key(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its doses rounded alike, whoever wrote them."""
    for dose in KEY[1:]:
        table[dose] = table[dose].map(lambda value: float(f"{value:.6g}"))
    return table.set_index(KEY)


def read_scores(file: Path) -> pd.DataFrame:
    """The scores that a tool wrote."""
    table = pd.read_csv(file).rename(columns={"dose_a_um": "dose_a", "dose_b_um": "dose_b"})
    table = table.rename(columns={f"synergy_{model}": model for model in MODELS})
    return with_key(table[[*KEY, *MODELS]])


def agreement(tools: dict[str, pd.DataFrame]) -> str:
    """The largest absolute differences from halfmax."""
    rows = []
    for name, scores in tools.items():
        if name != "halfmax":
            differences = (scores - tools["halfmax"])[["hsa", "bliss"]].abs()
            rows.append([name, *(f"{differences[model].max():.1e}" for model in differences), f"{len(differences.dropna()):,}"])
    return markdown(["against halfmax", "HSA", "Bliss", "cells"], rows)


def against_truth(model: str, truth: pd.DataFrame, tools: dict[str, pd.DataFrame]) -> str:
    """Root mean square errors in percentage points, one row per regime, over cells that every tool scored."""
    errors = pd.DataFrame({name: scores[model] - truth[model] for name, scores in tools.items()}).reindex(truth.index)
    compared = truth[model].notna() & errors.notna().all(axis=1)
    squares = errors[compared] ** 2
    rows = []
    for regime in truth["regime"].unique():
        part = squares[truth["regime"].reindex(squares.index) == regime]
        result = duel(part, part.index.get_level_values("block_id").to_series(index=part.index))
        low, high = result.interval
        figures = [f"{rms(part[name]):.3f}" for name in tools]
        rows.append([regime, *figures, f"{result.halfmax - result.peer:+.3f} [{low:+.3f}, {high:+.3f}]", result.verdict])
    missing = errors[truth[model].notna()].isna().sum()
    unscored = [f"{name} {count}" for name, count in missing.items() if count]
    text = markdown([f"{model.upper() if model == 'zip' else 'Loewe'}, RMSE", *tools, "halfmax less best peer", "better"], rows)
    text += f"\n\n{int(compared.sum()):,} cells"
    if truth[model].isna().any():
        text += f"; {int(truth[model].isna().sum()):,} more have no true score"
    return text + (f"; not scored by: {', '.join(unscored)}" if unscored else "") + "."


def tables(folder: Path, files: dict[str, str]) -> str:
    """All tables of the matrices; `files` has each tool's scores."""
    truth = with_key(pd.read_csv(folder / "matrices_truth.csv"))
    tools = {name: read_scores(folder / file).reindex(truth.index) for name, file in files.items()}
    parts = [agreement(tools), against_truth("zip", truth, tools), against_truth("loewe", truth, tools)]
    return "\n\n".join(parts)
