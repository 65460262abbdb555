"""Raw plates in GDSC's layout, simulated with known IC50, and how far the IC50 of `halfmax fit-curves` are off.

    python3 benches/peers/gdsc_raw.py make /tmp/gdsc_raw.csv /tmp/truth.csv --lines 800 --sets 4
    /usr/bin/time -v halfmax fit-curves /tmp/gdsc_raw.csv --out /tmp/curves.csv --plates /tmp/plates.csv
    python3 benches/peers/gdsc_raw.py check /tmp/curves.csv /tmp/truth.csv

Each plate has 1,536 wells: one cell line, 130 drugs at 7 doses (factors of two to four), 96 wells with the vehicle, 32 blanks, 16 positive controls. Errors are 8 % of the
signal and 30 units of the reader; nothing else is needed than Python itself.
"""

import argparse
import csv
import math
import random

HEADER = (
    "RESEARCH_PROJECT,BARCODE,SCAN_ID,CELL_ID,MASTER_CELL_ID,COSMIC_ID,CELL_LINE_NAME,SEEDING_DENSITY,"
    "DRUGSET_ID,ASSAY,DURATION,POSITION,TAG,DRUG_ID,CONC,INTENSITY\n"
)
DRUGS, DOSES, CONTROLS, BLANKS, POSITIVES = 130, 7, 96, 32, 16


def layout(rng):
    """The wells of one set of drugs: tag, drug within the set and number of the dose."""
    wells = [("NC-1", None, None)] * CONTROLS + [("B", None, None)] * BLANKS + [("PC-1", None, None)] * POSITIVES
    wells += [(f"L{drug + 1}-D{dose + 1}-S", drug, dose) for drug in range(DRUGS) for dose in range(DOSES)]
    wells += [("UN-USED", None, None)] * (1536 - len(wells))
    rng.shuffle(wells)
    return wells


def make(arguments):
    rng = random.Random(arguments.seed)
    sets = [layout(rng) for _ in range(arguments.sets)]
    potency = [rng.gauss(0.0, 0.8) for _ in range(arguments.sets * DRUGS)]
    top_dose = [rng.choice([1.0, 10.0, 20.0]) for _ in potency]
    factor = [rng.choice([2.0, 3.1623, 4.0]) for _ in potency]
    rows = 0
    with open(arguments.raw, "w") as raw, open(arguments.truth, "w") as truth:
        raw.write(HEADER)
        truth.write("cell_line,drug,ic50_um,top_dose_um,lowest_dose_um\n")
        for line in range(arguments.lines):
            name, cosmic = f"LINE-{line + 1}", 900000 + line
            resistance = rng.gauss(0.0, 0.3)
            for number, wells in enumerate(sets):
                barcode = line * arguments.sets + number + 1
                full = 40000.0 * math.exp(rng.gauss(0.0, 0.3))
                start = (f"sim,{barcode},{barcode},{line},{line},{cosmic},{name},300,{number + 1},Glo,72,")
                curves = []
                for drug in range(DRUGS):
                    at = number * DRUGS + drug
                    log_ic50 = potency[at] + resistance + rng.gauss(0.0, 0.5)
                    hill = math.exp(rng.gauss(0.1, 0.35))
                    curves.append((10.0**log_ic50, hill))
                    lowest = top_dose[at] / factor[at] ** (DOSES - 1)
                    truth.write(f"{name},{at + 1},{10.0**log_ic50:.6g},{top_dose[at]},{lowest:.6g}\n")
                out = []
                for position, (tag, drug, dose) in enumerate(wells):
                    if tag == "UN-USED":
                        continue
                    share, drug_id, conc = 1.0, "", ""
                    if tag in ("B", "PC-1"):
                        share = 0.0 if tag == "B" else 0.02
                    elif drug is not None:
                        at = number * DRUGS + drug
                        conc = top_dose[at] / factor[at] ** dose
                        ic50, hill = curves[drug]
                        share = 1.0 / (1.0 + (conc / ic50) ** hill)
                        drug_id, conc = at + 1, f"{conc:.6g}"
                    signal = 800.0 + full * share * (1.0 + 0.08 * rng.gauss(0.0, 1.0)) + 30.0 * rng.gauss(0.0, 1.0)
                    out.append(f"{start}{position + 1},{tag},{drug_id},{conc},{max(signal, 0.0):.0f}\n")
                rows += len(out)
                raw.write("".join(out))
    print(f"{rows:,} rows, {arguments.lines * arguments.sets:,} plates, {arguments.lines * arguments.sets * DRUGS:,} curves")


def check(arguments):
    with open(arguments.truth) as file:
        truth = {(row["cell_line"], row["drug"]): row for row in csv.DictReader(file)}
    errors, held, inside, placed, right = [], 0, 0, 0, 0
    with open(arguments.curves) as file:
        for row in csv.DictReader(file):
            known = truth[(row["cell_line"], row["drug"])]
            ic50, top, lowest = (float(known[key]) for key in ("ic50_um", "top_dose_um", "lowest_dose_um"))
            within = lowest <= ic50 <= top
            inside += within
            placed += 1
            right += (row["ic50_position"] == "within") == within
            if within and row["ic50_um"]:
                errors.append(math.log10(float(row["ic50_um"]) / ic50))
                low, high = row["ic50_lower_um"], row["ic50_upper_um"]
                held += (not low or float(low) <= ic50) and (not high or ic50 <= float(high))
    errors.sort()
    square = math.sqrt(sum(error * error for error in errors) / len(errors))
    print(f"{placed:,} curves, {inside:,} with their true IC50 within the doses, {len(errors):,} of those reported")
    print(f"log10 IC50: median error {errors[len(errors) // 2]:+.4f}, root mean square {square:.4f}")
    print(f"95 % intervals hold {100 * held / len(errors):.1f} %; position right in {100 * right / placed:.1f} %")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("make")
    making.add_argument("raw")
    making.add_argument("truth")
    making.add_argument("--lines", type=int, default=800)
    making.add_argument("--sets", type=int, default=4)
    making.add_argument("--seed", type=int, default=17)
    making.set_defaults(run=make)
    checking = commands.add_parser("check")
    checking.add_argument("curves")
    checking.add_argument("truth")
    checking.set_defaults(run=check)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
