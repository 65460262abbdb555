//! Least squares for response surfaces: a function of two doses with `N` parameters, within ranges.

use super::matrix::DoseMatrix;

/// The readings of one pair of doses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cell {
    /// The natural logarithms of the two doses; minus infinity for dose 0.
    pub ln_doses: [f64; 2],
    /// The number of readings.
    pub weight: f64,
    /// Their mean, a viability as a fraction of the control.
    pub mean: f64,
}

/// The readings of a block, with the drugs in a canonical order. Sums then run over the same cells in the same order,
/// so the results are identical to the last bit, whichever drug a file names first.
#[derive(Clone, Debug)]
pub(crate) struct Readings {
    pub cells: Vec<Cell>,
    /// Whether the drugs are swapped relative to the matrix.
    pub swapped: bool,
    /// The sum of squares of the readings about the means of their cells.
    pub within: f64,
    /// The number of readings.
    pub count: usize,
}

impl Readings {
    pub fn of(matrix: &DoseMatrix) -> Self {
        let [as_given, turned] = [false, true].map(|swapped| cells_of(matrix, swapped));
        let key = |cells: &[Cell]| -> Vec<f64> {
            cells
                .iter()
                .flat_map(|cell| [cell.ln_doses[0], cell.ln_doses[1], cell.mean, cell.weight])
                .collect()
        };
        let swapped = key(&turned)
            .iter()
            .map(|value| Ordered(*value))
            .lt(key(&as_given).iter().map(|value| Ordered(*value)));
        let squares = |cell: usize| {
            let readings = matrix.readings(cell);
            let mean = readings.iter().sum::<f64>() / readings.len() as f64;
            readings.iter().map(|reading| ((reading - mean) / 100.0).powi(2)).sum::<f64>()
        };
        let order = |swapped: bool| order_of(matrix, swapped);
        let within = order(swapped).into_iter().map(squares).sum();
        let count = (0..matrix.len()).map(|cell| matrix.readings(cell).len()).sum();
        Self { cells: if swapped { turned } else { as_given }, swapped, within, count }
    }

    /// The lowest and the highest mean, including 0 and 1.
    pub fn plateaus(&self) -> [f64; 2] {
        self.cells
            .iter()
            .fold([0.0_f64, 1.0_f64], |[low, high], cell| [low.min(cell.mean), high.max(cell.mean)])
    }

    /// The logarithms of the lowest and the highest dose of a drug, without 0.
    pub fn tested(&self, drug: usize) -> [f64; 2] {
        let finite = self.cells.iter().map(|cell| cell.ln_doses[drug]).filter(|ln| ln.is_finite());
        finite.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], ln| [low.min(ln), high.max(ln)])
    }

    /// The mean weighted sum of squares about the mean of all readings.
    pub fn total_squares(&self) -> f64 {
        let weight: f64 = self.cells.iter().map(|cell| cell.weight).sum();
        let mean = self.cells.iter().map(|cell| cell.weight * cell.mean).sum::<f64>() / weight;
        self.within + self.cells.iter().map(|cell| cell.weight * (cell.mean - mean).powi(2)).sum::<f64>()
    }
}

/// A number with the total order.
#[derive(PartialEq)]
struct Ordered(f64);

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.0.total_cmp(&other.0))
    }
}

/// The cells that have readings, by the dose of the first drug, then of the second.
fn order_of(matrix: &DoseMatrix, swapped: bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..matrix.len()).filter(|cell| !matrix.readings(*cell).is_empty()).collect();
    if swapped {
        order.sort_by_key(|cell| {
            let [a, b] = matrix.at(*cell);
            [b, a]
        });
    }
    order
}

fn cells_of(matrix: &DoseMatrix, swapped: bool) -> Vec<Cell> {
    let cell = |cell: usize| {
        let at = matrix.at(cell);
        let doses = [0, 1].map(|drug| matrix.doses(drug)[at[drug]].ln());
        let readings = matrix.readings(cell);
        let mean = readings.iter().sum::<f64>() / readings.len() as f64;
        Cell {
            ln_doses: if swapped { [doses[1], doses[0]] } else { doses },
            weight: readings.len() as f64,
            mean: 1.0 - mean / 100.0,
        }
    };
    order_of(matrix, swapped).into_iter().map(cell).collect()
}

/// The value of a surface at the logarithms of two doses, and its gradient.
pub(crate) type Surface<const N: usize> = fn(&[f64; N], [f64; 2]) -> (f64, [f64; N]);

/// A least-squares problem: a surface, readings and constraints.
pub(crate) struct Problem<'a, const N: usize> {
    pub cells: &'a [Cell],
    pub surface: Surface<N>,
    /// A range of one value fixes its parameter.
    pub ranges: [[f64; 2]; N],
    /// The longest step of an iteration.
    pub longest: [f64; N],
}

/// The normal equations at a point.
#[derive(Clone, Debug)]
pub(crate) struct Normal<const N: usize> {
    pub matrix: [[f64; N]; N],
    pub gradient: [f64; N],
    pub cost: f64,
}

impl<const N: usize> Problem<'_, N> {
    pub fn is_free(&self, at: usize) -> bool {
        self.ranges[at][0] < self.ranges[at][1]
    }

    pub fn free(&self) -> usize {
        (0..N).filter(|at| self.is_free(*at)).count()
    }

    pub fn clamp(&self, at: usize, value: f64) -> f64 {
        value.clamp(self.ranges[at][0], self.ranges[at][1])
    }

    /// Whether a free parameter is at an end of its range.
    pub fn is_at_limit(&self, at: usize, value: f64) -> bool {
        let [low, high] = self.ranges[at];
        let slack = 1e-6 * (high - low);
        self.is_free(at) && (value <= low + slack || value >= high - slack)
    }

    /// The weighted sum of squares of the cells' means about the surface.
    pub fn cost(&self, theta: &[f64; N]) -> f64 {
        let square = |cell: &Cell| cell.weight * (cell.mean - (self.surface)(theta, cell.ln_doses).0).powi(2);
        self.cells.iter().map(square).sum()
    }

    pub fn normal(&self, theta: &[f64; N]) -> Normal<N> {
        let mut sums = Normal { matrix: [[0.0; N]; N], gradient: [0.0; N], cost: 0.0 };
        for cell in self.cells {
            let (value, slopes) = (self.surface)(theta, cell.ln_doses);
            let residual = cell.mean - value;
            sums.cost += cell.weight * residual * residual;
            for row in 0..N {
                let weighted = cell.weight * slopes[row];
                sums.gradient[row] += weighted * residual;
                for (sum, slope) in sums.matrix[row].iter_mut().zip(&slopes[..=row]) {
                    *sum += weighted * slope;
                }
            }
        }
        for row in 0..N {
            for column in row + 1..N {
                sums.matrix[row][column] = sums.matrix[column][row];
            }
        }
        sums
    }

    /// The parameters that may move: free, and not pressed against an end of their range.
    pub fn movable(&self, theta: &[f64; N], gradient: &[f64; N]) -> [bool; N] {
        std::array::from_fn(|at| {
            let [low, high] = self.ranges[at];
            let pressed =
                (theta[at] <= low && gradient[at] < 0.0) || (theta[at] >= high && gradient[at] > 0.0);
            self.is_free(at) && !pressed
        })
    }

    /// Levenberg–Marquardt (Marquardt 1963: the diagonal is scaled) from one start, projected onto the ranges; the point and its cost.
    pub fn descend(&self, start: &[f64; N], most: usize) -> ([f64; N], f64) {
        let mut theta: [f64; N] = std::array::from_fn(|at| self.clamp(at, start[at]));
        let mut here = self.normal(&theta);
        let mut damping = 1e-3;
        for _ in 0..most {
            let chosen = self.movable(&theta, &here.gradient);
            let mut damped = here.matrix;
            for (at, row) in damped.iter_mut().enumerate() {
                row[at] += damping * row[at] + 1e-10;
            }
            let Some(factor) = cholesky(&damped, &chosen) else {
                damping = (damping * 10.0).max(1e-6);
                if damping > 1e10 {
                    break;
                }
                continue;
            };
            let step = solve(&factor, &chosen, &here.gradient);
            let next: [f64; N] = std::array::from_fn(|at| {
                self.clamp(at, theta[at] + step[at].clamp(-self.longest[at], self.longest[at]))
            });
            let there = self.normal(&next);
            let gain = here.cost - there.cost;
            let moved = (0..N).map(|at| (next[at] - theta[at]).abs()).fold(0.0, f64::max);
            if gain >= 0.0 {
                (theta, here) = (next, there);
                damping = (damping * 0.1).max(1e-10);
                // The remaining gain is far below the precision of the data.
                if gain <= 1e-8 * here.cost && (moved < 1e-4 || damping < 1e-4) {
                    break;
                }
            } else if moved < 1e-7 || damping > 1e10 {
                break;
            } else {
                damping *= 10.0;
            }
        }
        (theta, here.cost)
    }
}

/// The lower Cholesky factor of the `chosen` rows and columns of `matrix`; `None` if it is not positive definite.
pub(crate) fn cholesky<const N: usize>(matrix: &[[f64; N]; N], chosen: &[bool; N]) -> Option<[[f64; N]; N]> {
    let mut factor = [[0.0; N]; N];
    for row in (0..N).filter(|row| chosen[*row]) {
        for column in (0..=row).filter(|column| chosen[*column]) {
            let dot: f64 = (0..column).map(|at| factor[row][at] * factor[column][at]).sum();
            let rest = matrix[row][column] - dot;
            if row != column {
                factor[row][column] = rest / factor[column][column];
            } else if rest > 1e-14 * matrix[row][row] && rest.is_finite() {
                factor[row][row] = rest.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(factor)
}

/// Solves `L Lᵀ x = right` over the chosen rows; the others are 0.
pub(crate) fn solve<const N: usize>(
    factor: &[[f64; N]; N],
    chosen: &[bool; N],
    right: &[f64; N],
) -> [f64; N] {
    let mut x = [0.0; N];
    for row in (0..N).filter(|row| chosen[*row]) {
        let dot: f64 = (0..row).map(|at| factor[row][at] * x[at]).sum();
        x[row] = (right[row] - dot) / factor[row][row];
    }
    for row in (0..N).rev().filter(|row| chosen[*row]) {
        let dot: f64 = (row + 1..N).map(|at| factor[at][row] * x[at]).sum();
        x[row] = (x[row] - dot) / factor[row][row];
    }
    x
}
