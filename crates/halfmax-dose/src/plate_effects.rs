//! Position effects on a plate: the edge, and trends over rows and columns, estimated from wells without a drug.
//!
//! Over the negative controls, `ln(signal − blank) = level + edge · e + rows · r + columns · c` by least squares, where
//! e is 1 in the outer rows and columns, and r and c run from −½ in the first row or column to ½ in the last. Treated
//! wells are not used. On a plate with doses along the columns, their signals follow the columns, and a correction that
//! uses them (the median polish of Brideau et al. 2003) removes the effect of the drug.

use crate::distributions::f_upper_tail;
use crate::plate_quality::{PlateWell, WellUse, median};

/// Rows and columns of a plate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlateFormat {
    /// The number of rows.
    pub rows: u16,
    /// The number of columns.
    pub columns: u16,
}

impl PlateFormat {
    /// The standard formats, from 6 wells to 1,536.
    pub const KNOWN: [Self; 7] = [
        Self { rows: 2, columns: 3 },
        Self { rows: 3, columns: 4 },
        Self { rows: 4, columns: 6 },
        Self { rows: 6, columns: 8 },
        Self { rows: 8, columns: 12 },
        Self { rows: 16, columns: 24 },
        Self { rows: 32, columns: 48 },
    ];

    /// The smallest format that has a well in this row and this column, both from 1.
    ///
    /// ```
    /// use halfmax_dose::PlateFormat;
    /// assert_eq!(PlateFormat::holding(7, 11), Some(PlateFormat { rows: 8, columns: 12 }));
    /// assert_eq!(PlateFormat::holding(33, 1), None);
    /// ```
    pub fn holding(row: u16, column: u16) -> Option<Self> {
        Self::KNOWN.into_iter().find(|format| row <= format.rows && column <= format.columns)
    }

    /// The number of wells.
    pub fn wells(self) -> usize {
        usize::from(self.rows) * usize::from(self.columns)
    }

    /// The row and column, from 1, of a well that is numbered along the rows from 1; `None` outside the plate.
    pub fn place(self, number: usize) -> Option<[u16; 2]> {
        let at = number.checked_sub(1).filter(|at| *at < self.wells())?;
        let columns = usize::from(self.columns);
        Some([u16::try_from(at / columns + 1).ok()?, u16::try_from(at % columns + 1).ok()?])
    }

    fn terms(self, [row, column]: [u16; 2]) -> [f64; TERMS] {
        let outer = row <= 1 || column <= 1 || row >= self.rows || column >= self.columns;
        let along = |at: u16, of: u16| (f64::from(at) - 1.0) / (f64::from(of) - 1.0).max(1.0) - 0.5;
        [f64::from(u8::from(outer)), along(row, self.rows), along(column, self.columns)]
    }
}

/// The number of terms: edge, rows, columns.
const TERMS: usize = 3;

/// One effect on the logarithm of the signal. NaN if the controls do not determine it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionEffect {
    /// The effect: the edge compared with the inner wells, or the change from the first row or column to the last.
    pub ln: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// The p value against no effect, by Student's t.
    pub p: f64,
}

impl PositionEffect {
    /// An unknown effect.
    pub const NONE: Self = Self { ln: f64::NAN, standard_error: f64::NAN, p: f64::NAN };

    /// The effect as a fraction of the signal: −0.2 if the signal is a fifth lower.
    pub fn share(&self) -> f64 {
        self.ln.exp_m1()
    }
}

/// The position effects on the controls of a plate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PositionEffects {
    /// The outer rows and columns compared with the inner wells.
    pub edge: PositionEffect,
    /// The trend from the first row to the last.
    pub rows: PositionEffect,
    /// The trend from the first column to the last.
    pub columns: PositionEffect,
    /// The means of the three terms over the controls; there the correction factor is 1.
    centre: [f64; TERMS],
}

impl PositionEffects {
    /// Unknown effects.
    pub const NONE: Self = Self {
        edge: PositionEffect::NONE,
        rows: PositionEffect::NONE,
        columns: PositionEffect::NONE,
        centre: [0.0; TERMS],
    };

    fn list(&self) -> [PositionEffect; TERMS] {
        [self.edge, self.rows, self.columns]
    }
}

/// The controls required both at the edge and inside, and the rows or columns required for a trend.
const SIDE: usize = 3;

/// Controls further than this from their median, in ln, are ignored as failed wells.
const FAR: f64 = 1.0;

/// The effects that the negative controls of a plate determine: the edge with three controls at the edge and three
/// inside, a trend with controls in three rows (columns) that span half of the plate.
pub(crate) fn position_effects(
    wells: &[PlateWell],
    background: f64,
    format: Option<PlateFormat>,
) -> PositionEffects {
    let Some(format) = format else { return PositionEffects::NONE };
    let controls = wells.iter().filter(|well| well.holds == WellUse::NegativeControl);
    let mut known: Vec<([u16; 2], f64)> = controls
        .filter_map(|well| Some((well.place?, (well.signal - background).ln())))
        .filter(|(_, ln)| ln.is_finite())
        .collect();
    let middle = median(&mut known.iter().map(|(_, ln)| *ln).collect::<Vec<f64>>());
    known.retain(|(_, ln)| (ln - middle).abs() <= FAR);
    let told = told(&known, format);
    let rows: Vec<[f64; TERMS]> = known.iter().map(|(place, _)| format.terms(*place)).collect();
    let lns: Vec<f64> = known.iter().map(|(_, ln)| *ln).collect();
    let [edge, rows_effect, columns] = regressed(&rows, &lns, told);
    let mut centre = [0.0; TERMS];
    for (term, centre) in centre.iter_mut().enumerate() {
        *centre = rows.iter().map(|row| row[term]).sum::<f64>() / rows.len().max(1) as f64;
    }
    PositionEffects { edge, rows: rows_effect, columns, centre }
}

/// The terms that the positions of the controls determine.
fn told(known: &[([u16; 2], f64)], format: PlateFormat) -> [bool; TERMS] {
    let outer = known.iter().filter(|(place, _)| format.terms(*place)[0] > 0.5).count();
    let spread = |of: fn(&[u16; 2]) -> u16, size: u16| {
        let mut places: Vec<u16> = known.iter().map(|(place, _)| of(place)).collect();
        places.sort_unstable();
        places.dedup();
        let span = places.last().zip(places.first()).map_or(0, |(last, first)| last - first + 1);
        places.len() >= SIDE && 2 * span >= size
    };
    [
        outer >= SIDE && known.len() - outer >= SIDE,
        spread(|place| place[0], format.rows),
        spread(|place| place[1], format.columns),
    ]
}

/// Least squares of the determined terms, about a mean.
fn regressed(rows: &[[f64; TERMS]], lns: &[f64], told: [bool; TERMS]) -> [PositionEffect; TERMS] {
    let terms: Vec<usize> = (0..TERMS).filter(|term| told[*term]).collect();
    let mut effects = [PositionEffect::NONE; TERMS];
    let freedom = lns.len() as f64 - 1.0 - terms.len() as f64;
    if terms.is_empty() || freedom < 1.0 {
        return effects;
    }
    let count = lns.len() as f64;
    let mean = |of: &dyn Fn(usize) -> f64| (0..lns.len()).map(of).sum::<f64>() / count;
    let means: Vec<f64> = terms.iter().map(|term| mean(&|at| rows[at][*term])).collect();
    let level = mean(&|at| lns[at]);
    let centred = |at: usize, term: usize| rows[at][terms[term]] - means[term];
    let size = terms.len();
    let mut matrix = [[0.0; TERMS]; TERMS];
    let mut right = [0.0; TERMS];
    for (at, ln) in lns.iter().enumerate() {
        let own: [f64; TERMS] = std::array::from_fn(|a| if a < size { centred(at, a) } else { 0.0 });
        for ((right, cells), a) in right.iter_mut().zip(&mut matrix).zip(own) {
            *right += a * (ln - level);
            cells.iter_mut().zip(own).for_each(|(cell, b)| *cell += a * b);
        }
    }
    let Some(inverse) = inverse(matrix, size) else { return effects };
    let solution: Vec<f64> = (0..size).map(|a| (0..size).map(|b| inverse[a][b] * right[b]).sum()).collect();
    let rest: f64 = (0..lns.len())
        .map(|at| {
            let fitted: f64 = (0..size).map(|term| solution[term] * centred(at, term)).sum();
            (lns[at] - level - fitted).powi(2)
        })
        .sum();
    for (at, term) in terms.iter().enumerate() {
        let standard_error = (inverse[at][at] * rest / freedom).sqrt();
        let p = f_upper_tail((solution[at] / standard_error).powi(2), 1.0, freedom);
        effects[*term] = PositionEffect { ln: solution[at], standard_error, p };
    }
    effects
}

/// The inverse of the first rows and columns of a symmetric matrix by Gauss and Jordan; `None` if it is singular.
fn inverse(mut matrix: [[f64; TERMS]; TERMS], size: usize) -> Option<[[f64; TERMS]; TERMS]> {
    let mut inverse = [[0.0; TERMS]; TERMS];
    (0..TERMS).for_each(|at| inverse[at][at] = 1.0);
    let largest = (0..size).map(|at| matrix[at][at]).fold(0.0, f64::max);
    for pivot in 0..size {
        let scale = matrix[pivot][pivot];
        if scale.is_nan() || scale <= 1e-9 * largest {
            return None;
        }
        for column in 0..size {
            matrix[pivot][column] /= scale;
            inverse[pivot][column] /= scale;
        }
        for row in (0..size).filter(|row| *row != pivot) {
            let factor = matrix[row][pivot];
            for column in 0..size {
                matrix[row][column] -= factor * matrix[pivot][column];
                inverse[row][column] -= factor * inverse[pivot][column];
            }
        }
    }
    Some(inverse)
}

/// The position effects to remove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Corrected {
    /// The edge.
    pub edge: bool,
    /// Trends over rows and columns.
    pub drift: bool,
}

/// The correction for the plates of a file.
///
/// The effect of a plate has an estimation error, which a full correction would add to the readings. Therefore each
/// plate's effect is shrunk towards the mean of all plates, depending on the variation between plates beyond their
/// errors (DerSimonian & Laird 1986). The mean is shrunk towards 0 depending on its own error.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PositionCorrection {
    /// For each term, the mean effect over plates, shrunk towards 0, and the variance between plates; `None` if the
    /// term is not removed.
    terms: [Option<[f64; 2]>; TERMS],
}

impl PositionCorrection {
    /// Learns from the effects of all plates.
    pub fn learnt(plates: &[PositionEffects], which: Corrected) -> Self {
        let wanted = [which.edge, which.drift, which.drift];
        let mut terms = [None; TERMS];
        for (term, learnt) in terms.iter_mut().enumerate().filter(|(term, _)| wanted[*term]) {
            let known: Vec<[f64; 2]> = plates
                .iter()
                .map(|plate| plate.list()[term])
                .filter(|effect| effect.standard_error > 0.0)
                .map(|effect| [effect.ln, effect.standard_error.powi(2)])
                .collect();
            *learnt = pooled(&known);
        }
        Self { terms }
    }

    /// The correction of one plate: edge, rows, columns, in ln; 0 without a correction.
    pub fn taken_out(&self, plate: &PositionEffects) -> [f64; 3] {
        let mut out = [0.0; TERMS];
        for ((out, effect), learnt) in out.iter_mut().zip(plate.list()).zip(self.terms) {
            let (Some([mean, between]), true) = (learnt, effect.standard_error > 0.0) else { continue };
            let own = between / (between + effect.standard_error.powi(2));
            *out = mean + own * (effect.ln - mean);
        }
        out
    }

    /// The divisor of a well's signal minus blank; 1 at the centre of the controls.
    pub fn factor(&self, plate: &PositionEffects, format: PlateFormat, place: [u16; 2]) -> f64 {
        let terms = format.terms(place);
        let sum: f64 = self
            .taken_out(plate)
            .iter()
            .zip(terms.iter().zip(&plate.centre))
            .map(|(out, (term, centre))| out * (term - centre))
            .sum();
        sum.exp()
    }
}

/// The mean of estimates, shrunk towards 0 depending on its error, and the variance between estimates beyond their
/// errors (DerSimonian & Laird 1986).
fn pooled(known: &[[f64; 2]]) -> Option<[f64; 2]> {
    let count = known.len() as f64;
    let weight: f64 = known.iter().map(|[_, variance]| 1.0 / variance).sum();
    if known.is_empty() || !weight.is_finite() {
        return None;
    }
    let mean = known.iter().map(|[value, variance]| value / variance).sum::<f64>() / weight;
    let heterogeneity: f64 = known.iter().map(|[value, variance]| (value - mean).powi(2) / variance).sum();
    let squares: f64 = known.iter().map(|[_, variance]| variance.powi(-2)).sum();
    let scale = weight - squares / weight;
    let between = if scale > 0.0 { ((heterogeneity - (count - 1.0)) / scale).max(0.0) } else { 0.0 };
    let weights: f64 = known.iter().map(|[_, variance]| 1.0 / (variance + between)).sum();
    let mean = known.iter().map(|[value, variance]| value / (variance + between)).sum::<f64>() / weights;
    // Stein's positive part, for a mean about 0.
    let kept = (1.0 - 1.0 / (weights * mean * mean)).max(0.0);
    Some([mean * kept, between])
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: PlateFormat = PlateFormat { rows: 8, columns: 12 };

    /// Controls in every third well of a 96-well plate, with known effects and an error that repeats itself.
    fn plate(edge: f64, rows: f64, columns: f64, error: f64) -> Vec<PlateWell> {
        (1..=96)
            .step_by(3)
            .map(|number| {
                let place = FORMAT.place(number).unwrap_or([1, 1]);
                let [e, r, c] = FORMAT.terms(place);
                let wave = (number as f64 * 2.7).sin() * error;
                let ln = edge * e + rows * r + columns * c + wave;
                let holds = WellUse::NegativeControl;
                PlateWell { holds, place: Some(place), signal: 50.0 + 1000.0 * ln.exp() }
            })
            .collect()
    }

    #[test]
    fn known_effects_are_found() {
        let effects = position_effects(&plate(-0.2, 0.1, 0.3, 1e-4), 50.0, Some(FORMAT));
        for (effect, expected) in effects.list().into_iter().zip([-0.2, 0.1, 0.3]) {
            assert!((effect.ln - expected).abs() < 1e-3, "{effect:?}, expected {expected}");
            assert!(effect.p < 1e-6);
        }
        assert!((effects.edge.share() - (-0.2_f64).exp_m1()).abs() < 1e-3);
    }

    #[test]
    fn controls_in_one_column_tell_nothing_of_columns_and_those_within_nothing_of_the_edge() {
        let of = |keep: fn([u16; 2]) -> bool| {
            let mut wells = plate(0.1, 0.1, 0.1, 0.01);
            wells.retain(|well| well.place.is_some_and(keep));
            position_effects(&wells, 50.0, Some(FORMAT))
        };
        let column = of(|place| place[1] == 4);
        assert!(column.columns.p.is_nan());
        let within = of(|place| FORMAT.terms(place)[0] == 0.0);
        assert!(within.edge.p.is_nan() && within.columns.p.is_finite());
        assert!(position_effects(&plate(0.1, 0.1, 0.1, 0.01), 50.0, None).edge.p.is_nan());
    }

    #[test]
    fn a_failed_control_does_not_make_an_effect() {
        let mut wells = plate(0.0, 0.0, 0.0, 0.02);
        wells[0].signal = 51.0;
        let effects = position_effects(&wells, 50.0, Some(FORMAT));
        assert!(effects.list().iter().all(|effect| effect.ln.abs() < 0.05), "{effects:?}");
    }

    #[test]
    fn a_correction_takes_an_effect_out_and_leaves_chance() {
        let which = Corrected { edge: true, drift: true };
        let found: Vec<PositionEffects> =
            (0..6).map(|_| position_effects(&plate(-0.2, 0.0, 0.3, 0.02), 50.0, Some(FORMAT))).collect();
        let correction = PositionCorrection::learnt(&found, which);
        let well = |place: [u16; 2]| {
            let [e, _, c] = FORMAT.terms(place);
            (-0.2 * e + 0.3 * c).exp() / correction.factor(&found[0], FORMAT, place)
        };
        let levels = [[1, 1], [4, 6], [8, 12], [2, 11]].map(well);
        let range = levels.iter().fold(0.0_f64, |range, level| range.max((level / levels[0] - 1.0).abs()));
        assert!(range < 0.02, "{levels:?}");
        let none = position_effects(&plate(0.0, 0.0, 0.0, 0.1), 50.0, Some(FORMAT));
        let [edge, rows, columns] = PositionCorrection::learnt(&[none], which).taken_out(&none);
        for (out, effect) in [edge, rows, columns].into_iter().zip(none.list()) {
            assert!(out.abs() <= effect.ln.abs(), "{out} of {effect:?}");
        }
        let nothing = PositionCorrection::learnt(&found, Corrected::default());
        assert_eq!(nothing.factor(&found[0], FORMAT, [1, 1]), 1.0);
    }

    #[test]
    fn positions_are_numbered_along_rows() {
        assert_eq!(FORMAT.place(13), Some([2, 1]));
        assert_eq!(FORMAT.place(96), Some([8, 12]));
        assert_eq!((FORMAT.place(0), FORMAT.place(97)), (None, None));
    }
}
