"""Runs `halfmax evaluate` on the same files, folds and settings as the peers and reads what it wrote."""

import argparse
import json
from pathlib import Path

from measure import ChildFailed, Measurement, run_child

CONFIG = """\
name = "peers"

[data]
response = {response}
drugs = {drugs}
annotation = {annotation}
drug_features = {{ fingerprint_bits = 512, targets = false, target_pathway = true }}

[[data.cells]]
kind = "expression"
file = {expression}
{top_variance}
[[data.cells]]
kind = "events"
file = {events}

[target]
column = "LN_IC50"
duplicates = "mean"

[split]
kind = "lco"
file = {folds_file}
only_folds = {folds}

[[model]]
family = "boost"
rounds = 300
leaves = 31
learning_rate = 0.1
feature_fraction = 0.2
row_fraction = 0.8
trees = {trees}
identity_feature = {identity}
"""


def config_text(arguments: argparse.Namespace) -> str:
    """The TOML configuration of the run, with absolute paths."""

    def quoted(path: Path) -> str:
        return json.dumps(str(path.resolve()), ensure_ascii=False)

    return CONFIG.format(
        response=quoted(arguments.data / "gdsc2_response.csv.gz"),
        drugs=quoted(arguments.data / "drugs.csv"),
        annotation=quoted(arguments.data / "cosmic_info.csv.gz"),
        expression=quoted(arguments.data / "expression.parquet"),
        events=quoted(arguments.data / "genomic_features_v17.csv.gz"),
        folds_file=quoted(arguments.splits / "gdsc2_lco.csv"),
        folds=arguments.folds,
        trees=json.dumps(arguments.trees),
        identity=json.dumps(arguments.drug_identity),
        top_variance="" if arguments.genes is None else f"top_variance = {arguments.genes}\n",
    )


def measure_halfmax(arguments: argparse.Namespace, folder: Path) -> Measurement:
    """One run of the binary; its boosted model's times come from metrics.json, its peak memory from the kernel."""
    config, run = folder / "config.toml", folder / "run"
    config.write_text(config_text(arguments), encoding="utf-8")
    command = [str(arguments.halfmax), "--threads", str(arguments.threads), "--quiet"]
    usage = run_child([*command, "evaluate", str(config), "--out", str(run)], arguments.threads)
    if not (run / "metrics.json").is_file():
        raise ChildFailed(f"{arguments.halfmax} ended without an error but wrote no metrics.json")
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    boosted = [model for model in metrics["models"] if model["family"] == "boost"]
    if len(boosted) != 1:
        raise ChildFailed(f"metrics.json holds {len(boosted)} models of family boost; expected one")
    model = boosted[0]
    return Measurement(
        read_seconds=None,
        join_seconds=None,
        dataset_seconds=None,
        train_seconds=sum(fold["fit_seconds"] for fold in model["folds"]),
        predict_seconds=model["predict_seconds"],
        usage=usage,
        predictions=run / "predictions.parquet",
        predictions_model=model["name"],
        details=model,
    )
