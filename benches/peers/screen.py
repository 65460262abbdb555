"""The GDSC2 screen as entities (cell lines, drugs) and pairs, and the table a general learner needs of it."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from rdkit import Chem, RDLogger
from rdkit.Chem import rdFingerprintGenerator

FINGERPRINT_BITS = 512
FINGERPRINT_RADIUS = 2
# Each is two cell lines once names are harmonised (KM-H2 and KMH-2, TT and T-T): left out, as halfmax leaves them out.
AMBIGUOUS = ["KMH2", "TT"]


def harmonise(names: pd.Series) -> pd.Series:
    """Upper-case letters and digits only: the form in which cell-line names are joined."""
    return names.astype(str).map(lambda name: re.sub("[^A-Z0-9]", "", name.upper()))


@dataclass(frozen=True)
class Features:
    """Columns of one kind of entity: one row per entity, categories as codes, NaN where nothing is known."""

    values: np.ndarray
    categorical: list[int]


@dataclass(frozen=True)
class Table:
    """Features joined onto pairs: `values` is pairs × columns, `categorical` the positions of category codes."""

    values: np.ndarray
    target: np.ndarray
    categorical: list[int]


@dataclass(frozen=True)
class Screen:
    """Responses of cell lines to drugs, one row of `pairs` for each (cell, drug), and the features of both sides."""

    pairs: pd.DataFrame
    cell_names: list[str]
    drug_names: list[str]
    expression: np.ndarray
    genome: Features
    drugs: Features
    notes: dict[str, list[str]]

    @cached_property
    def _cell_codes(self) -> np.ndarray:
        return pd.Index(self.cell_names).get_indexer(self.pairs["cell_line"])

    @cached_property
    def _drug_codes(self) -> np.ndarray:
        return pd.Index(self.drug_names).get_indexer(self.pairs["drug"])

    def variable_genes(self, rows: np.ndarray, count: int | None) -> np.ndarray:
        """Positions of the `count` genes with the largest variance over the cell lines in `rows` (None: all genes)."""
        if count is None:
            return np.arange(self.expression.shape[1])
        cells = np.unique(self._cell_codes[rows])
        variance = self.expression[cells].var(axis=0, dtype=np.float64)
        return np.sort(np.argsort(-variance, kind="stable")[:count])

    def drug_means(self, rows: np.ndarray) -> np.ndarray:
        """Mean response of every drug over `rows`, NaN for a drug that they do not hold."""
        means = self.pairs["response"].iloc[rows].groupby(self._drug_codes[rows]).mean()
        return means.reindex(range(len(self.drug_names))).to_numpy(np.float32)

    def join(self, rows: np.ndarray, genes: np.ndarray, drug_means: np.ndarray, *, identity: bool) -> Table:
        """The float32 table of `rows`: chosen genes, genome, drug features, the drug's training mean and its number."""
        cells = np.hstack([self.expression[:, genes], self.genome.values])
        drugs = np.hstack([self.drugs.values, drug_means[:, None]])
        if identity:
            drugs = np.hstack([drugs, np.arange(len(drugs), dtype=np.float32)[:, None]])
        width = cells.shape[1]
        values = np.empty((len(rows), width + drugs.shape[1]), np.float32)
        values[:, :width] = cells[self._cell_codes[rows]]
        values[:, width:] = drugs[self._drug_codes[rows]]
        categorical = [len(genes) + i for i in self.genome.categorical] + [width + i for i in self.drugs.categorical]
        categorical += [values.shape[1] - 1] if identity else []
        return Table(values, self.pairs["response"].to_numpy(np.float32)[rows], categorical)


def read_screen(data: Path, splits: Path) -> Screen:
    """Read GDSC2 and its leave-cell-line-out folds; pairs without a fold or without expression are left out."""
    measured = _read_responses(data / "gdsc2_response.csv.gz")
    folds = pd.read_csv(splits / "gdsc2_lco.csv", dtype={"cell_line": str})
    expression = pd.read_parquet(data / "expression.parquet").set_index("cell_line")
    pairs = measured[~measured["cell_line"].isin(AMBIGUOUS)].merge(folds, on="cell_line")
    pairs = pairs[pairs["cell_line"].isin(expression.index)].sort_values(["cell_line", "drug"], ignore_index=True)
    cell_names = sorted(pairs["cell_line"].unique())
    drug_names = sorted(pairs["drug"].unique())
    genome, without_genome = _read_genome(data, cell_names)
    drugs, without_fingerprint = _read_drugs(data / "drugs.csv", drug_names)
    notes = {
        "measured, no expression": sorted(set(measured["cell_line"]) - set(expression.index)),
        "measured and expression, no fold": sorted(
            set(measured["cell_line"]) & set(expression.index) - set(folds["cell_line"])
        ),
        "no genomic events": without_genome,
        "no fingerprint": without_fingerprint,
    }
    matrix = expression.loc[cell_names].to_numpy(np.float32)
    return Screen(pairs, cell_names, drug_names, matrix, genome, drugs, notes)


def _read_responses(path: Path) -> pd.DataFrame:
    """Mean ln IC50 (natural log of µM) of every (harmonised cell line, drug)."""
    raw = pd.read_csv(path, dtype={"CELL_LINE_NAME": str, "DRUG_NAME": str})
    keys = {"cell_line": harmonise(raw["CELL_LINE_NAME"]), "drug": raw["DRUG_NAME"], "response": raw["LN_IC50"]}
    return pd.DataFrame(keys).groupby(["cell_line", "drug"], as_index=False)["response"].mean()


def _read_genome(data: Path, cell_names: list[str]) -> tuple[Features, list[str]]:
    """Events (0/1), MSI (0/1) and tissue (category) of the named cell lines, and the names that have none.

    Where two COSMIC ids share a harmonised name the higher one counts, as in the fold files.
    """
    names = pd.read_csv(data / "cosmic_info.csv.gz", usecols=["SAMPLE_NAME", "COSMIC_ID"], dtype={"SAMPLE_NAME": str})
    events = pd.read_csv(data / "genomic_features_v17.csv.gz").merge(names, on="COSMIC_ID").sort_values("COSMIC_ID")
    events = events.set_index(harmonise(events["SAMPLE_NAME"])).drop(columns=["SAMPLE_NAME", "COSMIC_ID"])
    events = events[~events.index.duplicated(keep="last")].reindex(cell_names)
    missing = events.index[events["TISSUE_FACTOR"].isna()].tolist()
    binary = events.drop(columns="TISSUE_FACTOR").to_numpy(np.float32)
    return _with_category(binary, events["TISSUE_FACTOR"]), missing


def _read_drugs(path: Path, drug_names: list[str]) -> tuple[Features, list[str]]:
    """Morgan fingerprints and target pathway (category) of the named drugs, and the names without a fingerprint."""
    table = pd.read_csv(path, dtype=str).set_index("drug").reindex(drug_names)
    bits = np.vstack([_fingerprint(smiles) for smiles in table["smiles"]])
    missing = table.index[np.isnan(bits[:, 0])].tolist()
    return _with_category(bits, table["target_pathway"]), missing


def _fingerprint(smiles: str | float) -> np.ndarray:
    """Morgan fingerprint of a SMILES string; all NaN where there is none or RDKit cannot read it."""
    RDLogger.DisableLog("rdApp.*")
    molecule = Chem.MolFromSmiles(smiles) if isinstance(smiles, str) else None
    if molecule is None:
        return np.full(FINGERPRINT_BITS, np.nan, np.float32)
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=FINGERPRINT_RADIUS, fpSize=FINGERPRINT_BITS)
    return generator.GetFingerprintAsNumPy(molecule).astype(np.float32)


def _with_category(numeric: np.ndarray, category: pd.Series) -> Features:
    """`numeric` with the codes of `category` (NaN where missing) as its last column."""
    codes = pd.Categorical(category).codes.astype(np.float32)
    codes[codes < 0] = np.nan
    return Features(np.hstack([numeric, codes[:, None]]), [numeric.shape[1]])
