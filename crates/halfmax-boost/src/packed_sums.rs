//! The content of a histogram bin: integer sums of gradients and weights.
//!
//! Gradients and weights are rounded to multiples of powers of two. These are chosen once a round so that no sum can
//! overflow. Integer sums are exact and do not depend on their order. So histograms can be subtracted without error, and any
//! number of threads gives the same tree.

use crate::histogram::BLOCK;

/// Integer sums of one or more gradient columns and of weights.
pub trait Lanes: Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// Number of gradient columns.
    const GRADIENTS: usize;

    /// Adds another sum.
    fn add(&mut self, other: Self);

    /// Subtracts another sum.
    fn sub(&mut self, other: Self);

    /// The sum of weights, in integer units.
    fn weight(self) -> f64;

    /// The sum of one gradient column, in integer units.
    fn gradient(self, column: usize) -> f64;

    /// `Σ G² / (sH + λ)` over the gradient columns; 0 without weight. λ is in integer units of weight.
    #[inline(always)]
    fn score(self, stretch: f64, lambda: f64) -> f64 {
        let weight = self.weight();
        if weight == 0.0 {
            return 0.0;
        }
        let squares: f64 = (0..Self::GRADIENTS)
            .map(|column| {
                let gradient = self.gradient(column);
                gradient * gradient
            })
            .sum();
        squares / (stretch * weight + lambda)
    }

    /// For each feature of a block, whether any cut may reach the floor. `cuts` holds the bins in order. `left` holds the
    /// sums to the left of the first bin.
    fn screen(cuts: &[[Self; BLOCK]], left: [Self; BLOCK], total: Self, by: Denominator) -> [bool; BLOCK];
}

/// The terms of a score in single precision. A cut may be worth an exact computation if `Gl²/(s·Hl + λ) + Gr²/(s·Hr + λ)`
/// reaches the floor.
#[derive(Clone, Copy)]
pub struct Denominator {
    /// The factor s of a weight.
    pub stretch: f32,
    /// λ, which is added to the product.
    pub lambda: f32,
    /// The floor.
    pub floor: f32,
}

impl Denominator {
    #[inline(always)]
    fn of(self, weight: f32) -> f32 {
        self.stretch * weight + self.lambda
    }
}

/// One gradient column and weights, packed into 64 bits. The upper half holds the gradient sum (signed), the lower half the
/// sum of weights (unsigned, below 2³²). One integer addition adds both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Packed(pub i64);

impl Packed {
    /// Packs one gradient and one weight.
    #[inline(always)]
    pub fn new(gradient: i32, weight: u32) -> Self {
        Self((i64::from(gradient) << 32) + i64::from(weight))
    }

    #[inline(always)]
    fn parts(self) -> (i32, u32) {
        ((self.0 >> 32) as i32, self.0 as u32)
    }
}

impl Lanes for Packed {
    const GRADIENTS: usize = 1;

    #[inline(always)]
    fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    #[inline(always)]
    fn sub(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }

    #[inline(always)]
    fn weight(self) -> f64 {
        f64::from(self.parts().1)
    }

    #[inline(always)]
    fn gradient(self, _column: usize) -> f64 {
        f64::from(self.parts().0)
    }

    #[inline(always)]
    #[allow(clippy::needless_range_loop)]
    fn screen(cuts: &[[Self; BLOCK]], left: [Self; BLOCK], total: Self, by: Denominator) -> [bool; BLOCK] {
        let (mut left, mut most) = (left, [f32::NEG_INFINITY; BLOCK]);
        for bins in cuts {
            // One short loop after the other. Each becomes a few vector instructions.
            let (mut squares, mut weights) = ([[0.0f32; BLOCK]; 2], [[0.0f32; BLOCK]; 2]);
            let mut right = [Self::default(); BLOCK];
            for at in 0..BLOCK {
                left[at].add(bins[at]);
            }
            for at in 0..BLOCK {
                right[at] = Self(total.0.wrapping_sub(left[at].0));
            }
            for (child, sums) in [&left, &right].into_iter().enumerate() {
                for at in 0..BLOCK {
                    squares[child][at] = (sums[at].0 >> 32) as i32 as f32;
                }
                for at in 0..BLOCK {
                    squares[child][at] *= squares[child][at];
                }
                for at in 0..BLOCK {
                    // Weights stay below 2³¹, so the signed conversion is exact. It is cheaper than the unsigned one.
                    weights[child][at] = by.of(sums[at].0 as i32 as f32);
                }
            }
            for at in 0..BLOCK {
                let [wl, wr] = [weights[0][at], weights[1][at]];
                let above = squares[0][at] * wr + squares[1][at] * wl - by.floor * wl * wr;
                most[at] = if above > most[at] { above } else { most[at] };
            }
        }
        let mut promising = [false; BLOCK];
        for at in 0..BLOCK {
            promising[at] = most[at] > 0.0;
        }
        promising
    }
}

/// `W - 1` gradient columns, then the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Wide<const W: usize>(pub [i32; W]);

impl<const W: usize> Default for Wide<W> {
    fn default() -> Self {
        Self([0; W])
    }
}

impl<const W: usize> Lanes for Wide<W> {
    const GRADIENTS: usize = W - 1;

    #[inline(always)]
    fn add(&mut self, other: Self) {
        for (sum, value) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_add(value);
        }
    }

    #[inline(always)]
    fn sub(&mut self, other: Self) {
        for (sum, value) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_sub(value);
        }
    }

    #[inline(always)]
    fn weight(self) -> f64 {
        f64::from(self.0[W - 1])
    }

    #[inline(always)]
    fn gradient(self, column: usize) -> f64 {
        f64::from(self.0[column])
    }

    #[inline(always)]
    #[allow(clippy::needless_range_loop)]
    fn screen(cuts: &[[Self; BLOCK]], left: [Self; BLOCK], total: Self, by: Denominator) -> [bool; BLOCK] {
        // Plain loops: closures would not be compiled for the instruction set of the calling function.
        let mut promising = [false; BLOCK];
        for feature in 0..BLOCK {
            let mut left = left[feature];
            let mut most = f32::NEG_INFINITY;
            for bins in cuts {
                left.add(bins[feature]);
                let mut right = total;
                right.sub(left);
                let (wl, wr) = (by.of(left.0[W - 1] as f32), by.of(right.0[W - 1] as f32));
                let mut squares = [0.0f32; W];
                for at in 0..W {
                    let (l, r) = (left.0[at] as f32, right.0[at] as f32);
                    squares[at] = l * l * wr + r * r * wl;
                }
                squares[W - 1] = 0.0;
                let above = folded(squares) - by.floor * wl * wr;
                most = if above > most { above } else { most };
            }
            promising[feature] = most > 0.0;
        }
        promising
    }
}

/// The pairwise sum, so that it can be computed in vector registers.
#[inline(always)]
fn folded<const W: usize>(mut values: [f32; W]) -> f32 {
    let mut width = W / 2;
    while width > 0 {
        for at in 0..width {
            values[at] += values[at + width];
        }
        width /= 2;
    }
    values[0]
}

/// A power of two for scaling values before they are rounded to integers. The sum of the scaled magnitudes stays below 2³⁰.
pub fn grid(sum_of_magnitudes: f64) -> f64 {
    if sum_of_magnitudes <= 0.0 || !sum_of_magnitudes.is_finite() {
        return 1.0;
    }
    (30.0 - sum_of_magnitudes.log2()).floor().clamp(-100.0, 24.0).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_sums_keep_gradient_and_weight_apart() {
        let mut sum = Packed::default();
        for (gradient, weight) in [(-7, 3), (2, 1), (-1_000_000, 40)] {
            sum.add(Packed::new(gradient, weight));
        }
        assert_eq!((sum.gradient(0), sum.weight()), (-1_000_005.0, 44.0));
        sum.sub(Packed::new(-1_000_000, 40));
        assert_eq!(sum, Packed::new(-5, 4));
    }

    #[test]
    fn both_kinds_score_alike() {
        let (packed, wide) = (Packed::new(-12, 5), Wide([-12, 0, 0, 5]));
        assert_eq!(packed.score(1.0, 1.0), 24.0);
        assert_eq!(packed.score(1.0, 1.0), wide.score(1.0, 1.0));
        // A cut into (3, 2) and (-15, 3) has a score of 3²/3 + 15²/4 = 59.25.
        for (floor, reached) in [(59.2, true), (59.3, false)] {
            let by = Denominator { stretch: 1.0, lambda: 1.0, floor };
            let expected = [reached; BLOCK];
            assert_eq!(
                Packed::screen(&[[Packed::new(3, 2); BLOCK]], [Packed::default(); BLOCK], packed, by),
                expected
            );
            assert_eq!(
                Wide::screen(&[[Wide([3, 0, 0, 2]); BLOCK]], [Wide::default(); BLOCK], wide, by),
                expected
            );
        }
    }

    #[test]
    fn the_grid_is_a_power_of_two_that_cannot_overflow() {
        for sum in [1e-9, 1.0, 224_000.0, 1e12] {
            let grid = grid(sum);
            assert_eq!(grid.log2().fract(), 0.0);
            assert!(sum * grid <= f64::from(1 << 30));
        }
    }
}
