//! What a histogram bin holds: integer sums of gradients and weights.
//!
//! Gradients and weights are rounded to multiples of powers of two that are chosen once a round so that no sum can
//! overflow. Integer sums are exact and do not depend on their order: histograms can be subtracted without error, and
//! any number of threads gives the same tree.

/// Integer sums of one or more gradient columns and of weights.
pub trait Lanes: Copy + Default + PartialEq + std::fmt::Debug + Send + Sync + 'static {
    /// Number of gradient columns.
    const GRADIENTS: usize;

    /// Adds another sum.
    fn add(&mut self, other: Self);

    /// Takes another sum away.
    fn sub(&mut self, other: Self);

    /// The sum of weights, in integer units.
    fn weight(self) -> f64;

    /// The sum of one gradient column, in integer units.
    fn gradient(self, column: usize) -> f64;

    /// `Σ G² / (H + λ)` over the gradient columns; 0 where there is nothing. λ is in integer units of weight.
    #[inline(always)]
    fn score(self, lambda: f64) -> f64 {
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
        squares / (weight + lambda)
    }

    /// A lower-precision form for screening many cuts at once: squared gradients and weight of the part left of a cut
    /// and of the rest.
    fn screen(left: Self, total: Self) -> Screened;
}

/// Squared gradient sums and weights on both sides of a cut, in single precision.
#[derive(Clone, Copy)]
pub struct Screened {
    /// `Σ G²` left of the cut.
    pub left: f32,
    /// Weight left of the cut.
    pub left_weight: f32,
    /// `Σ G²` right of the cut.
    pub right: f32,
    /// Weight right of the cut.
    pub right_weight: f32,
}

/// One gradient column and weights, packed into 64 bits: the gradient sum in the upper half (signed), the sum of
/// weights in the lower (unsigned, below 2³²), so that one integer addition adds both.
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
    fn screen(left: Self, total: Self) -> Screened {
        let right = Self(total.0.wrapping_sub(left.0));
        let ((gl, hl), (gr, hr)) = (left.parts(), right.parts());
        let (gl, gr) = (gl as f32, gr as f32);
        // Weights stay below 2³¹, so the signed conversion, which is the cheaper one, is exact.
        let (left_weight, right_weight) = (hl as i32 as f32, hr as i32 as f32);
        Screened { left: gl * gl, left_weight, right: gr * gr, right_weight }
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
    fn screen(left: Self, total: Self) -> Screened {
        let (mut squares_left, mut squares_right) = ([0.0f32; W], [0.0f32; W]);
        for at in 0..W {
            let (l, r) = (left.0[at] as f32, total.0[at].wrapping_sub(left.0[at]) as f32);
            squares_left[at] = l * l;
            squares_right[at] = r * r;
        }
        let weight = left.0[W - 1];
        Screened {
            left: folded(&squares_left),
            left_weight: weight as f32,
            right: folded(&squares_right),
            right_weight: total.0[W - 1].wrapping_sub(weight) as f32,
        }
    }
}

/// The sum of all but the last, pairwise, so that it can be done in vector registers.
#[inline(always)]
fn folded<const W: usize>(values: &[f32; W]) -> f32 {
    let mut values = *values;
    values[W - 1] = 0.0;
    let mut width = W / 2;
    while width > 0 {
        for at in 0..width {
            values[at] += values[at + width];
        }
        width /= 2;
    }
    values[0]
}

/// A power of two by which values may be multiplied and rounded to integers so that the sum of their magnitudes stays
/// below 2³⁰.
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
        assert_eq!(packed.score(1.0), 24.0);
        assert_eq!(packed.score(1.0), wide.score(1.0));
        let (a, b) = (Packed::screen(Packed::new(3, 2), packed), Wide::screen(Wide([3, 0, 0, 2]), wide));
        assert_eq!((a.left, a.right, a.right_weight), (b.left, b.right, b.right_weight));
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
