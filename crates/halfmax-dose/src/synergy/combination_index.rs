//! The combination index: how much of both drugs an effect takes, as a share of what each takes alone.

use serde::{Deserialize, Serialize};

use super::hill::alone;
use super::matrix::DoseMatrix;
use crate::shape::LogLogistic;

/// The median-effect line of a drug alone: `ln(f / (1 − f)) = m ln(d / D_m)`, with `f` the inhibition as a fraction (Chou & Talalay 1984), by
/// ordinary least squares on the doses above 0 whose mean inhibition lies strictly between 0 and 100 %. Other doses have no logarithm and are
/// left out, which favours neither the method nor the drug: where the highest doses kill all cells the line rests on the low ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MedianEffect {
    /// The dose of half the effect, D_m, in the unit of the doses; NaN where the inhibition does not rise with the dose.
    pub dm: f64,
    /// The slope m; at most 0 where the inhibition falls with the dose.
    pub m: f64,
    /// The correlation of the line's two logarithms.
    pub r: f64,
    /// The doses that it rests on.
    pub doses: usize,
}

impl MedianEffect {
    /// The dose of an inhibition in percent; none unless that lies strictly between 0 and 100 and the line rises.
    pub fn dose_at(&self, inhibition: f64) -> Option<f64> {
        let odds = inhibition / (100.0 - inhibition);
        (inhibition > 0.0 && inhibition < 100.0 && self.m > 0.0).then(|| self.dm * (odds.ln() / self.m).exp())
    }

    /// None with fewer than two such doses.
    fn of(points: &[[f64; 2]]) -> Option<Self> {
        let points: Vec<[f64; 2]> = points
            .iter()
            .filter(|[dose, inhibition]| *dose > 0.0 && *inhibition > 0.0 && *inhibition < 100.0)
            .map(|[dose, inhibition]| [dose.ln(), (inhibition / (100.0 - inhibition)).ln()])
            .collect();
        let n = points.len() as f64;
        let mean = |of: usize| points.iter().map(|point| point[of]).sum::<f64>() / n;
        let (x, y) = (mean(0), mean(1));
        let sum = |a: usize, b: usize| {
            let centre = [x, y];
            points.iter().map(|point| (point[a] - centre[a]) * (point[b] - centre[b])).sum::<f64>()
        };
        if points.len() < 2 || sum(0, 0) <= 0.0 {
            return None;
        }
        let m = sum(0, 1) / sum(0, 0);
        let r = sum(0, 1) / (sum(0, 0) * sum(1, 1)).sqrt();
        let dm = if m > 0.0 { (x - y / m).exp() } else { f64::NAN };
        Some(Self { dm, m, r, doses: points.len() })
    }
}

/// Why a cell has no combination index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoIndex {
    /// The inhibition is not strictly between 0 and 100 %, beyond which no median-effect line goes.
    EffectOutside0To100,
    /// The first drug alone has this effect at no dose, by its curve.
    BeyondDrugA,
    /// The second drug alone has this effect at no dose, by its curve.
    BeyondDrugB,
    /// Neither drug alone has this effect at any dose, by their curves.
    BeyondBoth,
    /// A drug has no curve or line, or one that does not rise: too few doses alone, or no effect.
    NoCurve,
}

impl NoIndex {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::EffectOutside0To100 => "effect_outside_0_to_100",
            Self::BeyondDrugA => "beyond_drug_a",
            Self::BeyondDrugB => "beyond_drug_b",
            Self::BeyondBoth => "beyond_both",
            Self::NoCurve => "no_curve",
        }
    }
}

/// The combination indices of a matrix by one kind of curves: a list with one entry per cell, NaN where a drug is alone, a reading is missing or
/// there is no index.
#[derive(Clone, Debug, PartialEq)]
pub struct Indices {
    /// `d_a / D_a + d_b / D_b`, where `D` is the dose of each drug alone with the effect measured of both: below 1 synergy, above 1 antagonism.
    pub index: Vec<f64>,
    /// Why a cell with a reading of both drugs has none.
    pub why: Vec<Option<NoIndex>>,
    /// The geometric mean of the indices.
    pub mean: f64,
    /// How many cells have one.
    pub cells: usize,
}

/// The combination indices of a matrix, by two kinds of curves of the drugs alone.
#[derive(Clone, Debug, PartialEq)]
pub struct CombinationIndex {
    /// The median-effect lines of the two drugs.
    pub lines: [Option<MedianEffect>; 2],
    /// By the median-effect lines: the index of Chou & Talalay 1984 for mutually exclusive drugs. It takes for granted that each drug kills no cell
    /// at low doses and all at high ones.
    pub median_effect: Indices,
    /// By the fitted curves of four parameters, whose plateaus are free: the index of Loewe 1953 (Berenbaum 1989's interaction index).
    pub loewe: Indices,
}

/// The combination indices of a matrix whose cells have these inhibitions in percent, and whose drugs alone have these curves in viability
/// ([`super::hill_curves`]).
///
/// ```
/// use halfmax_dose::synergy::{DoseMatrix, combination_index, hill_curves};
/// // A drug with itself.
/// let inhibition = |dose: f64| 100.0 * dose / (2.0 + dose);
/// let doses = [0.0, 1.0, 2.0, 4.0];
/// let pairs = doses.iter().flat_map(|a| doses.map(|b| [*a, b, inhibition(a + b)]));
/// let matrix = DoseMatrix::new(&pairs.collect::<Vec<_>>())?;
/// let curves = hill_curves(&matrix, &matrix.means());
/// let found = combination_index(&matrix, &matrix.means(), curves);
/// assert!((found.loewe.mean - 1.0).abs() < 0.001);
/// assert!((found.median_effect.mean - 1.0).abs() < 1e-9);
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub fn combination_index(
    matrix: &DoseMatrix,
    inhibitions: &[f64],
    curves: [Option<LogLogistic>; 2],
) -> CombinationIndex {
    let lines = [0, 1].map(|drug| MedianEffect::of(&alone(matrix, inhibitions, drug)));
    let median_effect = indices(matrix, inhibitions, |inhibition| {
        if !(inhibition > 0.0 && inhibition < 100.0) {
            return Err(NoIndex::EffectOutside0To100);
        }
        match lines.map(|line| line.and_then(|line| line.dose_at(inhibition))) {
            [Some(a), Some(b)] => Ok([a, b]),
            _ => Err(NoIndex::NoCurve),
        }
    });
    let falls = |curve: &LogLogistic| curve.bottom < curve.top;
    let loewe = indices(matrix, inhibitions, |inhibition| {
        let [Some(a), Some(b)] = &curves else { return Err(NoIndex::NoCurve) };
        if !(falls(a) && falls(b)) {
            return Err(NoIndex::NoCurve);
        }
        let viability = 1.0 - inhibition / 100.0;
        match [a, b].map(|curve| curve.dose_at(viability)) {
            [Some(a), Some(b)] => Ok([a, b]),
            [None, Some(_)] => Err(NoIndex::BeyondDrugA),
            [Some(_), None] => Err(NoIndex::BeyondDrugB),
            [None, None] => Err(NoIndex::BeyondBoth),
        }
    });
    CombinationIndex { lines, median_effect, loewe }
}

fn indices(
    matrix: &DoseMatrix,
    inhibitions: &[f64],
    alone: impl Fn(f64) -> Result<[f64; 2], NoIndex>,
) -> Indices {
    let of_cell = |cell: usize| {
        if !matrix.is_combination(cell) || inhibitions[cell].is_nan() {
            return (f64::NAN, None);
        }
        let [a, b] = matrix.at(cell);
        match alone(inhibitions[cell]) {
            Ok([alone_a, alone_b]) => (matrix.doses(0)[a] / alone_a + matrix.doses(1)[b] / alone_b, None),
            Err(why) => (f64::NAN, Some(why)),
        }
    };
    let (index, why): (Vec<f64>, Vec<Option<NoIndex>>) = (0..matrix.len()).map(of_cell).unzip();
    let known = || index.iter().filter(|index| !index.is_nan());
    let cells = known().count();
    let mean = (known().map(|index| index.ln()).sum::<f64>() / cells as f64).exp();
    Indices { mean, cells, why, index }
}
