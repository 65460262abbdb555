//! The combination index: the doses of all drugs that an effect needs, as fractions of the dose of each drug alone.

use serde::{Deserialize, Serialize};

use super::hill::alone;
use super::lattice::Lattice;
use super::matrix::{DoseMatrix, MultiMatrix};
use crate::shape::LogLogistic;

/// The median-effect line of a drug alone: `ln(f / (1 − f)) = m ln(d / D_m)`, with `f` the inhibition as a fraction
/// (Chou & Talalay 1984), by ordinary least squares on the doses above 0 whose mean inhibition lies strictly between 0
/// and 100 %. Other doses have no logarithm and are left out. If the highest doses kill all cells, only the low doses
/// determine the line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MedianEffect {
    /// The dose of half the effect, D_m, in the unit of the doses; NaN if the inhibition does not rise with the dose.
    pub dm: f64,
    /// The slope m; 0 or negative if the inhibition falls with the dose.
    pub m: f64,
    /// The correlation of the line's two logarithms.
    pub r: f64,
    /// The number of doses of the line.
    pub doses: usize,
}

impl MedianEffect {
    /// The dose of an inhibition in percent; `None` unless the inhibition is strictly between 0 and 100 and the line
    /// rises.
    pub fn dose_at(&self, inhibition: f64) -> Option<f64> {
        let odds = inhibition / (100.0 - inhibition);
        (inhibition > 0.0 && inhibition < 100.0 && self.m > 0.0).then(|| self.dm * (odds.ln() / self.m).exp())
    }

    /// `None` with fewer than two such doses.
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

/// The reason why a cell has no combination index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoIndex {
    /// The inhibition is not strictly between 0 and 100 %, the range of median-effect lines.
    EffectOutside0To100,
    /// According to their curves, these drugs of the cell do not reach this effect alone at any dose.
    Beyond(DrugSet),
    /// A drug of the cell has no curve or line, or no rising one: too few doses alone, or no effect.
    NoCurve,
}

impl NoIndex {
    /// The name in tables, for a block with this number of drugs: `beyond_drug_a`, `beyond_both` for two drugs;
    /// `beyond_drug_c`, `beyond_drugs_a_c` for more.
    pub fn name(self, drugs: usize) -> String {
        match self {
            Self::EffectOutside0To100 => "effect_outside_0_to_100".to_owned(),
            Self::NoCurve => "no_curve".to_owned(),
            Self::Beyond(beyond) => match beyond.letters().as_slice() {
                [one] => format!("beyond_drug_{one}"),
                [_, _] if drugs == 2 => "beyond_both".to_owned(),
                several => {
                    let letters: Vec<String> = several.iter().map(char::to_string).collect();
                    format!("beyond_drugs_{}", letters.join("_"))
                }
            },
        }
    }
}

/// Some drugs of a block. A block has fewer than thirty drugs, because twenty drugs with one dose each already exceed
/// the limit on cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrugSet(u32);

impl DrugSet {
    /// The set of these drugs, numbered from 0; numbers from 32 on are left out.
    pub fn of(drugs: &[usize]) -> Self {
        let mut set = Self::default();
        drugs.iter().for_each(|drug| set.insert(*drug));
        set
    }

    /// Whether the set contains a drug.
    pub fn contains(self, drug: usize) -> bool {
        drug < 32 && self.0 & (1 << drug) != 0
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn insert(&mut self, drug: usize) {
        if drug < 32 {
            self.0 |= 1 << drug;
        }
    }

    /// The letters of the drugs: a, b, c, …
    fn letters(self) -> Vec<char> {
        ('a'..='z').enumerate().filter(|(drug, _)| self.contains(*drug)).map(|(_, letter)| letter).collect()
    }
}

/// The combination indices of a matrix by one kind of curves: a list with one entry per cell, NaN if a drug is alone, a
/// reading is missing or there is no index.
#[derive(Clone, Debug, PartialEq)]
pub struct Indices {
    /// `d_a / D_a + d_b / D_b + …` over the drugs of the cell, where `D` is the dose of each drug alone with the
    /// measured effect of the cell. Below 1 is synergy, above 1 antagonism.
    pub index: Vec<f64>,
    /// The reason why a cell with a reading of two or more drugs has no index.
    pub why: Vec<Option<NoIndex>>,
    /// The geometric mean of the indices of the cells with every drug.
    pub mean: f64,
    /// The number of cells with every drug that have an index.
    pub cells: usize,
}

/// The combination indices of a matrix, by two kinds of curves of the drugs alone.
#[derive(Clone, Debug, PartialEq)]
pub struct CombinationIndex {
    /// The median-effect lines of the drugs, in their order.
    pub lines: Vec<Option<MedianEffect>>,
    /// By the median-effect lines: the index of Chou & Talalay 1984 for mutually exclusive drugs, for n drugs as in
    /// Chou 2006. It assumes that each drug kills no cell at low doses and all cells at high doses.
    pub median_effect: Indices,
    /// By the fitted curves of four parameters, whose plateaus are free: the index of Loewe 1953 (the interaction index
    /// of Berenbaum 1989, defined for any number of drugs).
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
    of_lattice(matrix.lattice(), inhibitions, &curves)
}

/// As [`combination_index`], for three or more drugs. Every cell with at least two drugs has an index over its drugs,
/// and means are over the cells with every drug. `curves` are the curves of the drugs alone, in order
/// ([`super::hill_curves_of_many`]); drugs beyond the end of the list have no curve.
///
/// ```
/// use halfmax_dose::synergy::{MultiMatrix, combination_index_of_many, hill_curves_of_many};
/// // A drug with itself and itself.
/// let inhibition = |dose: f64| 100.0 * dose / (2.0 + dose);
/// let doses = [0.0, 1.0, 2.0, 4.0];
/// let mut readings = Vec::new();
/// for a in doses {
///     for b in doses {
///         readings.extend(doses.map(|c| (vec![a, b, c], inhibition(a + b + c))));
///     }
/// }
/// let matrix = MultiMatrix::new(&readings)?;
/// let means = matrix.means();
/// let found = combination_index_of_many(&matrix, &means, &hill_curves_of_many(&matrix, &means));
/// assert_eq!((found.loewe.cells, found.median_effect.cells), (27, 27));
/// assert!((found.loewe.mean - 1.0).abs() < 0.001);
/// assert!((found.median_effect.mean - 1.0).abs() < 1e-9);
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub fn combination_index_of_many(
    matrix: &MultiMatrix,
    inhibitions: &[f64],
    curves: &[Option<LogLogistic>],
) -> CombinationIndex {
    of_lattice(matrix.lattice(), inhibitions, curves)
}

fn of_lattice(lattice: &Lattice, inhibitions: &[f64], curves: &[Option<LogLogistic>]) -> CombinationIndex {
    let lines: Vec<Option<MedianEffect>> =
        (0..lattice.drugs()).map(|drug| MedianEffect::of(&alone(lattice, inhibitions, drug))).collect();
    let median_effect = indices(lattice, inhibitions, |drug, inhibition| {
        if !(inhibition > 0.0 && inhibition < 100.0) {
            return Err(NoIndex::EffectOutside0To100);
        }
        lines[drug].and_then(|line| line.dose_at(inhibition)).ok_or(NoIndex::NoCurve)
    });
    let loewe = indices(lattice, inhibitions, |drug, inhibition| {
        let curve = curves.get(drug).copied().flatten().filter(|curve| curve.bottom < curve.top);
        let curve = curve.ok_or(NoIndex::NoCurve)?;
        curve.dose_at(1.0 - inhibition / 100.0).ok_or(NoIndex::Beyond(DrugSet::of(&[drug])))
    });
    CombinationIndex { lines, median_effect, loewe }
}

/// The indices, given the dose of each drug alone for an inhibition, or the reason why there is none.
fn indices(
    lattice: &Lattice,
    inhibitions: &[f64],
    dose_alone: impl Fn(usize, f64) -> Result<f64, NoIndex>,
) -> Indices {
    let of_cell = |cell: usize| {
        if !lattice.is_combination(cell) || inhibitions[cell].is_nan() {
            return (f64::NAN, None);
        }
        let (mut sum, mut beyond) = (0.0, DrugSet::default());
        // A drug without a curve takes precedence over drugs whose curve does not reach far enough.
        let mut why = None;
        for drug in lattice.given(cell) {
            match dose_alone(drug, inhibitions[cell]) {
                Ok(alone) => sum += lattice.dose(cell, drug) / alone,
                Err(NoIndex::Beyond(_)) => beyond.insert(drug),
                Err(other) => why = Some(other),
            }
        }
        match why.or((!beyond.is_empty()).then_some(NoIndex::Beyond(beyond))) {
            None => (sum, None),
            why => (f64::NAN, why),
        }
    };
    let (index, why): (Vec<f64>, Vec<Option<NoIndex>>) = (0..lattice.len()).map(of_cell).unzip();
    let known =
        || index.iter().enumerate().filter(|(cell, index)| !index.is_nan() && lattice.is_complete(*cell));
    let cells = known().count();
    let mean = (known().map(|(_, index)| index.ln()).sum::<f64>() / cells as f64).exp();
    Indices { mean, cells, why, index }
}
