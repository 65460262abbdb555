//! What corrections of positions do to IC50, on simulated plates of doses with and without effects of the position.
//!
//! `cargo run --release -p halfmax-dose --example plates [FILES]`. Draws are fixed. Each file has 20 plates of 384 wells: ten doses along the rows of
//! columns 3 to 22, so that the effect of a drug follows the columns, and 32 untreated wells. Errors of log10 IC50 (root mean square, of curves whose
//! IC50 was found) are of readings divided by the mean control as they are, corrected by each plate's own effects, by those drawn together over
//! the file, and by a median polish of all wells (Brideau et al. 2003).

#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod common;

use common::{Draw, Sequence};
use halfmax_core::Silent;
use halfmax_dose::{
    Corrected, CurveParams, CurveReadings, PlateFormat, PlateLimits, PlateWell, Position, PositionCorrection,
    PositionEffects, WellUse, plate_quality,
};

const FORMAT: PlateFormat = PlateFormat { rows: 16, columns: 24 };
const PLATES: usize = 20;
const DOSES: usize = 10;

struct Regime {
    name: &'static str,
    /// In ln: the edge, the rows, the columns; and how much each varies between plates.
    effects: [f64; 3],
    between: f64,
}

const REGIMES: [Regime; 6] = [
    Regime { name: "no effect", effects: [0.0; 3], between: 0.0 },
    Regime { name: "edge -25 %", effects: [-0.29, 0.0, 0.0], between: 0.05 },
    Regime { name: "rows +30 %", effects: [0.0, 0.26, 0.0], between: 0.05 },
    Regime { name: "columns +30 %", effects: [0.0, 0.0, 0.26], between: 0.05 },
    Regime { name: "all of them", effects: [-0.29, 0.26, 0.26], between: 0.05 },
    Regime { name: "plates differ", effects: [0.0; 3], between: 0.15 },
];

#[derive(Clone, Copy, PartialEq)]
enum Layout {
    Scattered,
    TwoColumns,
}

impl Layout {
    /// Untreated wells lie in columns 2 and 23, or are scattered over the columns without doses and the edge.
    fn is_control(self, [row, column]: [u16; 2]) -> bool {
        match self {
            Self::TwoColumns => column == 2 || column == 23,
            Self::Scattered => {
                (u32::from(row) * 24 + u32::from(column)).is_multiple_of(12) || (row + 2 * column) % 25 == 3
            }
        }
    }
}

struct Plate {
    wells: Vec<PlateWell>,
    /// Curve and dose of each treated well.
    of: Vec<Option<(usize, f64)>>,
    effects: PositionEffects,
}

fn plate(draws: &mut Sequence, regime: &Regime, layout: Layout, truths: &mut Vec<f64>) -> Plate {
    let own = regime.effects.map(|effect| effect + regime.between * draws.normal());
    let shift = truths.len();
    truths.extend((0..32).map(|_| 10.0_f64.powf(-1.0 + 2.0 * draws.uniform())));
    let hills: Vec<f64> = (0..32).map(|_| (0.2 + 0.35 * draws.normal()).exp()).collect();
    let (mut wells, mut of) = (Vec::new(), Vec::new());
    for row in 1..=16_u16 {
        for column in 1..=24_u16 {
            let outer = f64::from(u8::from(row == 1 || row == 16 || column == 1 || column == 24));
            let along = |at: u16, of: f64| (f64::from(at) - 1.0) / (of - 1.0) - 0.5;
            let position = own[0] * outer + own[1] * along(row, 16.0) + own[2] * along(column, 24.0);
            let control = layout.is_control([row, column]);
            let dosed = (3..=22).contains(&column) && !control;
            let curve = usize::from(row - 1) * 2 + usize::from(column > 12);
            let dose = 0.003 * 3.0_f64.powi(i32::from((column - 3.min(column)) % DOSES as u16));
            let viability =
                if dosed { 1.0 / (1.0 + (dose / truths[shift + curve]).powf(hills[curve])) } else { 1.0 };
            let signal = 20_000.0 * viability * (position + 0.08 * draws.normal()).exp();
            let holds = match (control, dosed) {
                (true, _) => WellUse::NegativeControl,
                (false, true) => WellUse::Treated,
                (false, false) => WellUse::Other,
            };
            wells.push(PlateWell { holds, place: Some([row, column]), signal });
            of.push(dosed.then_some((shift + curve, dose)));
        }
    }
    let effects = plate_quality(&wells, Some(FORMAT), &PlateLimits::default()).effects;
    Plate { wells, of, effects }
}

/// The signals of a plate less the medians of its rows and columns, in ln, by three rounds.
fn polished(plate: &Plate) -> Vec<f64> {
    let mut logs: Vec<f64> = plate.wells.iter().map(|well| well.signal.max(1.0).ln()).collect();
    let median = |values: &mut Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    };
    for _ in 0..3 {
        for row in 0..16 {
            let middle = median(&mut (0..24).map(|column| logs[row * 24 + column]).collect());
            (0..24).for_each(|column| logs[row * 24 + column] -= middle);
        }
        for column in 0..24 {
            let middle = median(&mut (0..16).map(|row| logs[row * 24 + column]).collect());
            (0..16).for_each(|row| logs[row * 24 + column] -= middle);
        }
    }
    logs.into_iter().map(f64::exp).collect()
}

/// What makes signals of a plate.
type Way<'a> = dyn Fn(&Plate) -> Vec<f64> + 'a;

/// The root mean square error of log10 IC50 of the curves of a file, from the signals of its plates.
fn error(plates: &[Plate], truths: &[f64], signals: &Way) -> [f64; 2] {
    let mut doses = vec![Vec::new(); truths.len()];
    let mut viabilities = vec![Vec::new(); truths.len()];
    for plate in plates {
        let signals = signals(plate);
        let controls: Vec<f64> = (0..signals.len())
            .filter(|at| plate.wells[*at].holds == WellUse::NegativeControl)
            .map(|at| signals[at])
            .collect();
        let control = controls.iter().sum::<f64>() / controls.len() as f64;
        for (signal, of) in signals.iter().zip(&plate.of) {
            if let Some((curve, dose)) = of {
                doses[*curve].push(*dose);
                viabilities[*curve].push(signal / control);
            }
        }
    }
    let curves: Vec<CurveReadings> = doses
        .iter()
        .zip(&viabilities)
        .map(|(dose_um, viability)| CurveReadings { dose_um, viability, batch: None, divisions: None })
        .collect();
    let fitter = CurveParams::default().check().unwrap().learning_from(&curves);
    let fits = fitter.fit_all(&curves, &Silent).unwrap();
    let known = fits.iter().zip(truths).filter(|(fit, _)| fit.ic50_position == Position::Within);
    let squares: Vec<f64> = known.map(|(fit, truth)| (fit.ic50.value / truth).log10().powi(2)).collect();
    [squares.iter().sum::<f64>(), squares.len() as f64]
}

fn main() {
    let files: usize = std::env::args().nth(1).map_or(3, |files| files.parse().unwrap());
    let which = Corrected { edge: true, drift: true };
    println!("| layout | regime | as it is | each plate | file | median polish |");
    println!("|---|---|---|---|---|---|");
    for (layout, layout_name) in [(Layout::Scattered, "scattered"), (Layout::TwoColumns, "columns 2 and 23")]
    {
        for regime in &REGIMES {
            let mut sums = [[0.0; 2]; 4];
            for file in 0..files {
                let mut draws = Sequence(17 + file as u64);
                let mut truths = Vec::new();
                let plates: Vec<Plate> =
                    (0..PLATES).map(|_| plate(&mut draws, regime, layout, &mut truths)).collect();
                let effects: Vec<PositionEffects> = plates.iter().map(|plate| plate.effects).collect();
                let pooled = PositionCorrection::learnt(&effects, which);
                let corrected = |plate: &Plate, by: &PositionCorrection| -> Vec<f64> {
                    let factor = |well: &PlateWell| by.factor(&plate.effects, FORMAT, well.place.unwrap());
                    plate.wells.iter().map(|well| well.signal / factor(well)).collect()
                };
                let ways: [&Way; 4] = [
                    &|plate| plate.wells.iter().map(|well| well.signal).collect(),
                    &|plate| corrected(plate, &PositionCorrection::learnt(&[plate.effects], which)),
                    &|plate| corrected(plate, &pooled),
                    &polished,
                ];
                for (sum, way) in sums.iter_mut().zip(ways) {
                    let [squares, count] = error(&plates, &truths, way);
                    *sum = [sum[0] + squares, sum[1] + count];
                }
            }
            let errors: Vec<String> = sums
                .iter()
                .map(|[squares, count]| format!("{:.4} ({count})", (squares / count).sqrt()))
                .collect();
            println!("| {layout_name} | {} | {} |", regime.name, errors.join(" | "));
        }
    }
}
