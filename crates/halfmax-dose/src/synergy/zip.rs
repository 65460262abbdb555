//! Zero interaction potency (Yadav, Wennerberg, Aittokallio & Tang 2015).

use super::lattice::Lattice;
use super::single::{Fitting, Line, levels};
use crate::shape::{LogLogistic, Theta};

/// The ZIP values of each cell with two or more drugs, in percent of inhibition; NaN elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct ZipSurface {
    /// The expectation: `1 − (1 − y1) (1 − y2) …` for the fitted curves of the drugs alone (equation 7).
    pub expected: Vec<f64>,
    /// The mean of the curves fitted through the lines of the cell, one along each of its drugs. NaN if a line has
    /// fewer than three cells.
    pub fitted: Vec<f64>,
    /// The mean of the lines that have a curve.
    pub smooth: Vec<f64>,
    /// The curves of the lines.
    pub lines: Vec<(Line, Theta)>,
}

impl ZipSurface {
    /// Without its own drug, each line starts at the effect of the other drugs. One other drug: its curve alone
    /// (equations 8 and 9). Several other drugs: the mean of the curves fitted through their own lines, as
    /// SynergyFinder 3 generalises it (Zheng et al. 2022), with the fit in place of the reading.
    pub fn of(lattice: &Lattice, inhibitions: &[f64], alone: &[LogLogistic], fitting: &Fitting) -> Self {
        let count = lattice.len();
        let at_dose: Vec<Vec<f64>> = (0..lattice.drugs())
            .map(|drug| lattice.doses(drug).iter().map(|dose| alone[drug].at(*dose)).collect())
            .collect();
        let viability = |cell: usize, drug: usize| at_dose[drug][lattice.place(cell, drug)];
        let given: Vec<usize> = (0..count).map(|cell| lattice.given(cell).count()).collect();
        let independent =
            |cell: usize| lattice.given(cell).map(|drug| viability(cell, drug)).product::<f64>();
        let expected = (0..count)
            .map(|cell| if given[cell] < 2 { f64::NAN } else { 100.0 * (1.0 - independent(cell)) })
            .collect();
        let mut surface = Self {
            expected,
            fitted: vec![f64::NAN; count],
            smooth: vec![f64::NAN; count],
            lines: Vec::new(),
        };
        let (mut sums, mut lines) = (vec![0.0; count], vec![0_u32; count]);
        for size in 2..=lattice.drugs() {
            for first in (0..count).filter(|cell| given[*cell] == size) {
                for drug in lattice.given(first).filter(|drug| lattice.place(first, *drug) == 1) {
                    let stride = lattice.stride(drug);
                    let without = first - stride;
                    let begin = match size {
                        2 => lattice.given(without).map(|other| viability(without, other)).sum(),
                        _ => 1.0 - surface.smooth[without] / 100.0,
                    };
                    let cells = || {
                        let doses = lattice.doses(drug).iter().copied().enumerate().skip(1);
                        doses.map(move |(place, dose)| (without + place * stride, dose))
                    };
                    let found = Some(begin).filter(|begin| !begin.is_nan());
                    let found = found.and_then(|begin| {
                        fitting.fit((first, drug), levels(cells(), inhibitions), Some(begin))
                    });
                    let Some(found) = found else { continue };
                    surface.lines.push(found.start());
                    let curve = found.curve();
                    for (cell, dose) in cells() {
                        sums[cell] += 100.0 * (1.0 - curve.at(dose));
                        lines[cell] += 1;
                    }
                }
            }
            for cell in (0..count).filter(|cell| given[*cell] == size && lines[*cell] > 0) {
                surface.smooth[cell] = sums[cell] / f64::from(lines[cell]);
                if lines[cell] as usize == size {
                    surface.fitted[cell] = surface.smooth[cell];
                }
            }
        }
        surface
    }
}
