"""What the tables are made of: errors of tools over the same cases, and whether two of them differ by more than chance."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

DRAWS = 2000
# Differences below this, in percentage points or decades, are rounding.
ROUNDING = 1e-4


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table; the first column is text, the others are figures."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rms(squares: pd.Series) -> float:
    """The root of the mean of squared errors."""
    return float(np.sqrt(squares.mean()))


@dataclass(frozen=True)
class Duel:
    """halfmax against the best peer: the root mean square errors, and the 95 % interval of their difference."""

    halfmax: float
    peer: float
    peer_name: str
    interval: tuple[float, float]

    @property
    def verdict(self) -> str:
        """Who has the smaller error, where the interval excludes 0."""
        low, high = self.interval
        if self.halfmax - self.peer < -ROUNDING and high < 0.0:
            return "halfmax"
        if self.halfmax - self.peer > ROUNDING and low > 0.0:
            return self.peer_name
        return "–"


def duel(squares: pd.DataFrame, groups: pd.Series) -> Duel:
    """Compares the column `halfmax` of squared errors with the best peer's, by a bootstrap over groups of rows."""
    peer = min((name for name in squares if not name.startswith("halfmax")), key=lambda name: squares[name].mean())
    sums = squares[["halfmax", peer]].groupby(groups).sum().to_numpy()
    counts = squares.groupby(groups).size().to_numpy()
    drawn = np.random.default_rng(3).multinomial(len(sums), np.full(len(sums), 1.0 / len(sums)), DRAWS)
    roots = np.sqrt((drawn @ sums) / (drawn @ counts)[:, None])
    low, high = np.quantile(roots[:, 0] - roots[:, 1], [0.025, 0.975])
    return Duel(rms(squares["halfmax"]), rms(squares[peer]), peer, (float(low), float(high)))
