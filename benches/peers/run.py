"""Runs halfmax, LightGBM and XGBoost on the same rows, folds and features and prints how they compare.

Example: python benches/peers/run.py --data data/gdsc --splits splits --folds 0 --models lightgbm,xgboost
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from halfmax_run import measure_halfmax
from measure import ChildFailed, Measurement, run_child

HERE = Path(__file__).resolve().parent
BUILT_BINARY = HERE.parents[1] / "target" / "release" / "halfmax"
MODELS = ("halfmax", "lightgbm", "xgboost")
STEPS = ("read_seconds", "join_seconds", "dataset_seconds", "train_seconds", "predict_seconds", "fit_seconds")

Summary = dict[str, float | None]


def measure_peer(model: str, arguments: argparse.Namespace, folder: Path) -> Measurement:
    """One run of a peer library in its own process."""
    command = [sys.executable, str(HERE / "peer.py"), "--model", model]
    command += ["--data", str(arguments.data), "--splits", str(arguments.splits)]
    command += ["--folds", *map(str, arguments.folds), "--threads", str(arguments.threads)]
    command += ["--xgboost-columns", arguments.xgboost_columns, "--out", str(folder)]
    if arguments.drug_identity:
        command += ["--drug-identity"]
    if arguments.genes is not None:
        command += ["--genes", str(arguments.genes)]
    usage = run_child(command, arguments.threads)
    report = json.loads((folder / "report.json").read_text())

    def total(step: str) -> float:
        return sum(fold[step] for fold in report["folds"])

    return Measurement(
        read_seconds=report["read_seconds"],
        join_seconds=total("join_seconds"),
        dataset_seconds=total("dataset_seconds"),
        train_seconds=total("train_seconds"),
        predict_seconds=total("predict_seconds"),
        usage=usage,
        predictions=folder / "predictions.parquet",
        predictions_model=None,
        details=report,
    )


def measure(model: str, arguments: argparse.Namespace, folder: Path) -> Measurement:
    """One run of `model`, its files in `folder`."""
    folder.mkdir(parents=True)
    return measure_halfmax(arguments, folder) if model == "halfmax" else measure_peer(model, arguments, folder)


def measure_all(arguments: argparse.Namespace, folder: Path) -> dict[str, list[Measurement]]:
    """Every model `repeat` times, taking turns so that a slow spell of the machine meets them all."""
    runs: dict[str, list[Measurement]] = {model: [] for model in arguments.models}
    for turn in range(arguments.repeat):
        for model in arguments.models:
            print(f"run {turn + 1} of {arguments.repeat}: {model}", file=sys.stderr)
            runs[model].append(measure(model, arguments, folder / model / str(turn)))
    return runs


def score_all(runs: dict[str, list[Measurement]]) -> dict[str, dict[str, float]]:
    """Metrics of every model's first run, by one piece of code for all; fails unless all tested the same pairs."""
    listing = [
        {"name": model, "file": str(turns[0].predictions), "model": turns[0].predictions_model}
        for model, turns in runs.items()
    ]
    done = subprocess.run(
        [sys.executable, str(HERE / "scores.py")], input=json.dumps(listing), stdout=subprocess.PIPE, text=True
    )
    if done.returncode != 0:
        raise ChildFailed("the predictions could not be scored; the reason is above")
    return json.loads(done.stdout)


def summarise(turns: list[Measurement]) -> Summary:
    """Medians over the runs of one model."""
    summary: Summary = {}
    for step in STEPS:
        values = [getattr(turn, step) for turn in turns]
        summary[step] = None if None in values else median(values)
    summary["wall_seconds"] = median(turn.usage.wall_seconds for turn in turns)
    summary["peak_mb"] = median(turn.usage.peak_mb for turn in turns)
    return summary


def table_lines(summaries: dict[str, Summary], scores: dict[str, dict[str, float]]) -> list[str]:
    """The comparison as lines of aligned text; a dash where a model has no such step of its own."""

    def seconds(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    head = ["model", "RMSE", "MAE", "R²", "Pearson", "Spearman", "within-drug R²", "per-drug Pearson"]
    head += ["join s", "dataset s", "train s", "predict s", "process s", "peak MB"]
    metrics = ["rmse", "mae", "r2", "pearson", "spearman", "r2_within_drug", "per_drug_pearson"]
    steps = ["join_seconds", "dataset_seconds", "train_seconds", "predict_seconds", "wall_seconds"]
    rows = [head]
    for model, summary in summaries.items():
        row = [model, *(f"{scores[model][metric]:.4f}" for metric in metrics)]
        rows.append([*row, *(seconds(summary[step]) for step in steps), f"{summary['peak_mb']:.0f}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def ratios(summaries: dict[str, Summary]) -> dict[str, dict[str, float]]:
    """For each peer, its cost over halfmax's: above 1 means that halfmax is cheaper. Empty without halfmax."""
    ours = summaries.get("halfmax")
    if ours is None:
        return {}
    keys = ("fit_seconds", "predict_seconds", "wall_seconds", "peak_mb")
    peers = {model: summary for model, summary in summaries.items() if model != "halfmax"}
    return {model: {key: summary[key] / ours[key] for key in keys} for model, summary in peers.items()}


def ratio_lines(costs: dict[str, dict[str, float]]) -> list[str]:
    """The ratios as sentences."""

    def compared(ratio: float, more: str, less: str) -> str:
        return f"{ratio:.1f}× {more}" if ratio >= 1 else f"{1 / ratio:.1f}× {less}"

    def memory_share(ratio: float) -> str:
        return f"1/{ratio:.1f}" if ratio >= 1 else f"{1 / ratio:.1f}×"

    return [
        f"halfmax is {compared(cost['fit_seconds'], 'faster', 'slower')} than {peer} (dataset + train), "
        f"uses {memory_share(cost['peak_mb'])} of its memory; "
        f"the whole process is {compared(cost['wall_seconds'], 'faster', 'slower')}"
        for peer, cost in costs.items()
    ]


def rows_line(runs: dict[str, list[Measurement]], scores: dict[str, dict[str, float]]) -> str:
    """What was compared: pairs, entities and columns as a peer counted them, and the test pairs."""
    tested = next(iter(scores.values()))["n_test"]
    peer = next((turns[0].details for model, turns in runs.items() if model != "halfmax"), None)
    if peer is None:
        return f"{tested} test pairs"
    columns = peer["folds"][0]["columns"]
    entities = f"{peer['pairs']} pairs of {peer['cell_lines']} cell lines and {peer['drugs']} drugs"
    return f"{entities}, {columns} columns; {tested} test pairs"


def write_json(path: Path, arguments: argparse.Namespace, runs: dict[str, list[Measurement]], results: dict) -> None:
    """Settings, results and the details of every run."""
    settings = {key: getattr(arguments, key) for key in ("folds", "genes", "threads", "repeat", "xgboost_columns", "trees", "drug_identity")}
    each = {
        model: [
            {step: getattr(turn, step) for step in STEPS} | vars(turn.usage) | {"details": turn.details}
            for turn in turns
        ]
        for model, turns in runs.items()
    }
    path.write_text(json.dumps({"settings": settings, **results, "runs": each}, indent=1), encoding="utf-8")


def gene_count(text: str) -> int | None:
    """`all` (None) or a positive number of genes."""
    if text == "all":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r}: expected a positive number or 'all'")


def comma_separated(parse: Callable[[str], object], allowed: tuple) -> Callable[[str], list]:
    """An argument type: values from `allowed`, separated by commas, each once."""

    def parse_list(text: str) -> list:
        values = [parse(part) for part in text.split(",")]
        unknown = [value for value in values if value not in allowed]
        if unknown or len(set(values)) < len(values):
            raise argparse.ArgumentTypeError(f"{text!r}: expected some of {', '.join(map(str, allowed))}, each once")
        return values

    parse_list.__name__ = "list"
    return parse_list


def parse_arguments() -> argparse.Namespace:
    """Command line, with the halfmax binary found where it was not named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, type=Path, help="folder of the GDSC files")
    parser.add_argument("--splits", required=True, type=Path, help="folder that holds gdsc2_lco.csv")
    parser.add_argument("--folds", default=[0], type=comma_separated(int, tuple(range(5))), help="test folds (0)")
    parser.add_argument("--models", default=list(MODELS), type=comma_separated(str, MODELS), help="all three")
    parser.add_argument("--genes", default=1000, type=gene_count, help="most variable genes to use, or 'all' (1000)")
    parser.add_argument("--threads", default=2, type=int, help="threads of every model (2)")
    parser.add_argument("--repeat", default=1, type=int, help="runs of each model; medians are printed (1)")
    parser.add_argument("--halfmax", type=Path, help="halfmax binary (the release build, else the one on PATH)")
    parser.add_argument(
        "--xgboost-columns", default="tree", choices=["tree", "node"], help="draw XGBoost's columns per tree or node"
    )
    parser.add_argument(
        "--trees", default="box", choices=["box", "cell_vector", "alternate"], help="halfmax's kind of trees (box)"
    )
    parser.add_argument(
        "--drug-identity",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="let every model tell the drugs apart, the peers by a categorical column (yes)",
    )
    parser.add_argument("--json", type=Path, help="also write everything measured to this file")
    arguments = parser.parse_args()
    if arguments.repeat < 1 or arguments.threads < 1:
        parser.error("--repeat and --threads must be at least 1")
    if "halfmax" in arguments.models:
        on_path = shutil.which("halfmax")
        fallback = BUILT_BINARY if BUILT_BINARY.is_file() or on_path is None else Path(on_path)
        arguments.halfmax = arguments.halfmax or fallback
        if not arguments.halfmax.is_file():
            parser.error(f"{arguments.halfmax} is missing: run `cargo build --release` or leave it out of --models")
    return arguments


def main() -> None:
    """Measure, score, print, and write the JSON file where one was asked for."""
    arguments = parse_arguments()
    try:
        with tempfile.TemporaryDirectory(prefix="halfmax-peers-") as folder:
            runs = measure_all(arguments, Path(folder))
            scores = score_all(runs)
    except ChildFailed as failure:
        sys.exit(f"error: {failure}")
    summaries = {model: summarise(turns) for model, turns in runs.items()}
    costs = ratios(summaries)
    print(rows_line(runs, scores))
    print(*table_lines(summaries, scores), *ratio_lines(costs), sep="\n")
    if arguments.json:
        write_json(arguments.json, arguments, runs, {"scores": scores, "medians": summaries, "ratios": costs})


if __name__ == "__main__":
    main()
