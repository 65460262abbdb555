"""Tables of response surfaces (MuSyC, BRAID) fitted to the simulated matrices: of the tools against the true surfaces and against each other."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from compare import duel, markdown, rms
from tables_matrices import KEY, with_key

TITLES = {"musyc": "MuSyC", "braid": "BRAID"}
# The parameters compared, and whether on a logarithm (decades).
PARAMETERS = {"musyc": {"alpha_12": True, "alpha_21": True}, "braid": {"kappa": False}}
# Parameters this near are the same; sums of squares that differ by a smaller share are.
SAME = 0.01
SAME_SQUARES = 1e-3


@dataclass
class Fits:
    """What one tool fitted: the inhibition of each cell in percent, and parameters of each block."""

    surfaces: dict[str, pd.Series]
    parameters: pd.DataFrame


def read_halfmax(cells: Path, blocks: Path) -> Fits:
    """The fits that halfmax wrote."""
    table = with_key(pd.read_csv(cells).rename(columns={"dose_a_um": "dose_a", "dose_b_um": "dose_b"}))
    of = {f"{model}_{parameter}": parameter for model, own in PARAMETERS.items() for parameter in own}
    parameters = pd.read_csv(blocks).set_index("block_id")[list(of)].rename(columns=of)
    return Fits({model: table[f"fitted_{model}"] for model in TITLES}, parameters)


def read_peer(file: Path, suffix: str = "") -> Fits:
    """The fits that a peer wrote; columns with a suffix are those of another setting."""
    table = with_key(pd.read_csv(file))
    surfaces = {model: table[model + suffix] for model in TITLES if model + suffix in table}
    wanted = {parameter + suffix: parameter for model in surfaces for parameter in PARAMETERS[model]}
    return Fits(surfaces, table.groupby("block_id")[list(wanted)].first().rename(columns=wanted))


def against_truth(model: str, truth: pd.DataFrame, tools: dict[str, Fits]) -> str:
    """Root mean square errors of fitted surfaces in percentage points, one row per regime, over cells that every tool fitted."""
    fitted = {name: fits.surfaces[model] for name, fits in tools.items() if model in fits.surfaces}
    errors = pd.DataFrame({name: values - truth["inhibition"] for name, values in fitted.items()}).reindex(truth.index)
    squares = errors[errors.notna().all(axis=1)] ** 2
    rows = []
    for regime in truth["regime"].unique():
        part = squares[truth["regime"].reindex(squares.index) == regime]
        result = duel(part, part.index.get_level_values("block_id").to_series(index=part.index))
        low, high = result.interval
        figures = [f"{rms(part[name]):.3f}" for name in fitted]
        rows.append([regime, *figures, f"{result.halfmax - result.peer:+.3f} [{low:+.3f}, {high:+.3f}]", result.verdict])
    header = [f"{TITLES[model]} surface, RMSE", *fitted, "halfmax less best peer", "better"]
    missing = [f"{name} {count:,}" for name, count in errors.isna().sum().items() if count]
    text = markdown(header, rows) + f"\n\n{len(squares):,} cells with both drugs"
    return text + (f"; not fitted by: {', '.join(missing)}" if missing else "") + "."


def squares_about(fits: Fits, model: str, means: pd.Series) -> pd.Series:
    """The sum of squares of each block's means about a fitted surface."""
    residuals = fits.surfaces[model].reindex(means.index) - means
    return (residuals**2).groupby("block_id").sum(min_count=1)


def agreement(tools: dict[str, Fits], means: pd.Series) -> str:
    """Parameters of every peer beside those of halfmax, and whose sums of squares are smaller."""
    rows = []
    own = tools["halfmax"]
    for model, parameters in PARAMETERS.items():
        least = squares_about(own, model, means)
        for name, fits in tools.items():
            if name == "halfmax" or model not in fits.surfaces:
                continue
            ratio = squares_about(fits, model, means) / least
            better, worse = (ratio < 1.0 - SAME_SQUARES).mean(), (ratio > 1.0 + SAME_SQUARES).mean()
            same_fit = (ratio - 1.0).abs() <= SAME_SQUARES
            for parameter, logarithmic in parameters.items():
                scale = np.log10 if logarithmic else pd.Series
                with np.errstate(divide="ignore", invalid="ignore"):
                    off = (scale(fits.parameters[parameter]) - scale(own.parameters[parameter])).abs()
                off = off[np.isfinite(off)]
                equal = off[off.index.isin(same_fit[same_fit].index)]
                rows.append(
                    [
                        f"{TITLES[model]} {parameter}, {name}",
                        f"{len(off)}",
                        f"{off.median():.4f}",
                        f"{100.0 * (off < SAME).mean():.0f} %",
                        f"{100.0 * (equal < SAME).mean():.0f} % of {len(equal)}",
                        f"{100.0 * worse:.0f} %",
                        f"{100.0 * better:.0f} %",
                    ]
                )
    header = [
        "against halfmax (α in decades)",
        "blocks",
        "median difference",
        f"within {SAME}",
        "of equal fits",
        "fit of halfmax better",
        "worse",
    ]
    return markdown(header, rows)


def potencies(truth: pd.DataFrame, tools: dict[str, Fits]) -> str:
    """The error of MuSyC's α, in decades, where the truth has one."""
    blocks = truth.groupby("block_id")[["surface", "log_alpha_12", "log_alpha_21"]].first().dropna()
    fitted = {name: fits for name, fits in tools.items() if "musyc" in fits.surfaces}
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = {
            (name, which): np.log10(fits.parameters[f"alpha_{which}"]) - blocks[f"log_alpha_{which}"]
            for name, fits in fitted.items()
            for which in ("12", "21")
        }
    errors = pd.DataFrame(logs).reindex(blocks.index)
    errors = errors[np.isfinite(errors).all(axis=1)].abs()
    rows = []
    for surface in blocks["surface"].unique():
        part = errors[blocks["surface"].reindex(errors.index) == surface]
        figures = [f"{np.mean(part[name]):.3f} ({np.median(part[name]):.3f})" for name in fitted]
        rows.append([surface, f"{len(part)}", *figures])
    return markdown(["MuSyC α, mean (median) error in decades", "blocks", *fitted], rows)


def tables(folder: Path, tools: dict[str, Fits]) -> str:
    """All tables of the fitted surfaces."""
    truth = with_key(pd.read_csv(folder / "matrices_truth.csv"))
    wells = pd.read_csv(folder / "matrices.csv").rename(columns={"dose_a_um": "dose_a", "dose_b_um": "dose_b"})
    means = 100.0 - with_key(wells)["viability_percent"].groupby(KEY).mean()
    parts = [against_truth(model, truth, tools) for model in TITLES]
    return "\n\n".join([*parts, agreement(tools, means), potencies(truth, tools)])
