"""Whether known biomarkers are among the features that predictions for their drugs rest on.

    halfmax train models/gdsc2-explain.toml --out runs/why
    halfmax explain runs/why/model.halfmax --out why/report.html
    python tests/biomarkers/check_biomarkers.py why/importance.parquet biomarkers.csv --dataset GDSC2 --least 0.75
    python tests/biomarkers/check_biomarkers.py why/findings.parquet biomarkers.csv --dataset GDSC2 --least 0.9

`biomarkers.csv` has the columns dataset, feature (exp or mut), gene, drug, direction. With importance.parquet, a biomarker is found if it
is among the drug's 20 features with the greatest mean |contribution|, in the right direction. With findings.parquet, it is found if it is
one of the drug's first 20 findings, or a member of one, in the right direction.
"""

import argparse
import sys

import polars

TOP = 20


def rank_of(importance, row, prefix):
    """The rank of a biomarker, and whether its direction is right; none where the model does not use it."""
    is_expression = polars.col("feature_kind") == "expression"
    name = polars.col("feature").str.strip_suffix("_mut")
    own = importance.filter(
        (polars.col("drug") == row["drug"])
        & (name == row["gene"])
        & (is_expression if row["feature"] == "exp" else ~is_expression)
    )
    if own.is_empty():
        return None
    best = own.sort(f"{prefix}rank").row(0, named=True)
    return best[f"{prefix}rank"], best[f"{prefix}direction"] == row["direction"]


def in_findings(findings, row):
    """Why a biomarker is not among a drug's first findings; none if it is."""
    wanted = row["gene"] + ("_mut" if row["feature"] == "mut" else "")
    opposite = {"resistant": "sensitive", "sensitive": "resistant"}
    drug = findings.filter((polars.col("drug") == row["drug"]) & (polars.col("evidence_rank") <= TOP))
    places = []
    for one in drug.sort("evidence_rank").to_dicts():
        members = [member for member in (one["members"] or "").split(" ") if member.lstrip("-") == wanted]
        if one["finding"] == wanted:
            places.append((one["evidence_rank"], one["direction"]))
        elif members:
            turned = members[0].startswith("-")
            places.append((one["evidence_rank"], opposite.get(one["direction"]) if turned else one["direction"]))
    if any(direction == row["direction"] for _, direction in places):
        return None
    return f"rank {places[0][0]}, wrong direction" if places else "not among the findings"


def check_findings(findings, rows, dataset):
    """The share of biomarkers among the findings."""
    missed = [(row, why) for row in rows if (why := in_findings(findings, row))]
    found = len(rows) - len(missed)
    print(f"{dataset}, findings: {found} of {len(rows)} ({100 * found / len(rows):.1f} %)")
    for row, why in missed:
        print(f"  missed: {row['feature']} {row['gene']}, {row['drug']}: {why}")
    return found / len(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("importance")
    parser.add_argument("biomarkers")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--least", type=float, default=0.0, help="the least share that must be found")
    options = parser.parse_args()
    importance = polars.read_parquet(options.importance)
    rows = polars.read_csv(options.biomarkers).filter(polars.col("dataset") == options.dataset).to_dicts()
    if not rows:
        sys.exit(f"{options.biomarkers}: no row of {options.dataset}")
    if "evidence_rank" in importance.columns:
        sys.exit(0 if check_findings(importance, rows, options.dataset) >= options.least else 1)
    shares = []
    for prefix, words in (("", "as the model has it"), ("adjusted_", "adjusted for confounders")):
        missed, found = [], 0
        for row in rows:
            rank = rank_of(importance, row, prefix)
            if rank and rank[0] <= TOP and rank[1]:
                found += 1
            else:
                place = "not used" if rank is None else f"rank {rank[0]}" + ("" if rank[1] else ", wrong direction")
                missed.append(f"{row['feature']} {row['gene']}, {row['drug']}: {place}")
        shares.append(found / len(rows))
        print(f"{options.dataset}, {words}: {found} of {len(rows)} ({100 * shares[-1]:.1f} %)")
        print("".join(f"  missed: {one}\n" for one in missed), end="")
    sys.exit(0 if max(shares) >= options.least else 1)


if __name__ == "__main__":
    main()
