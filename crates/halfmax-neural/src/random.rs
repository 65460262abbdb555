//! Random numbers that depend only on a member's seed, the epoch and their order. They do not depend on the device, nor on
//! which members are trained together.

use halfmax_core::Seed;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

pub(crate) fn generator(seed: Seed) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed.value())
}

/// Dropout for the members of a group. It is inverted, so that the expected output equals the input (Srivastava et al. 2014).
/// The share is rounded to a multiple of 1/256.
pub(crate) struct Dropout<'a> {
    pub(crate) generators: &'a mut [ChaCha8Rng],
}

impl Dropout<'_> {
    /// Multiplies each number by 0 or by one over the share that is kept. All members have the same count of numbers.
    pub(crate) fn apply(&mut self, share: f64, numbers: &mut [f32]) {
        let dropped = (share * 256.0).round().min(255.0) as u8;
        if dropped == 0 || numbers.is_empty() {
            return;
        }
        let factor = 256.0 / (256.0 - f32::from(dropped));
        let each = numbers.len() / self.generators.len();
        numbers.par_chunks_mut(each).zip(self.generators.par_iter_mut()).for_each(|(numbers, generator)| {
            let mut bytes = [0u8; 1024];
            for numbers in numbers.chunks_mut(bytes.len()) {
                let bytes = &mut bytes[..numbers.len()];
                generator.fill_bytes(bytes);
                numbers.iter_mut().zip(bytes).for_each(|(number, byte)| {
                    *number *= if *byte < dropped { 0.0 } else { factor };
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_members_dropout_is_its_own_and_keeps_the_mean() {
        let seeds = [Seed::new(1), Seed::new(2)];
        let mut both = vec![1.0f32; 20_000];
        Dropout { generators: &mut seeds.map(generator) }.apply(0.25, &mut both);
        let mut second = vec![1.0f32; 10_000];
        Dropout { generators: &mut [generator(seeds[1])] }.apply(0.25, &mut second);
        assert_eq!(both[10_000..], second);
        assert_ne!(both[..10_000], second);
        let mean = both.iter().sum::<f32>() / both.len() as f32;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        assert!(both.iter().all(|value| *value == 0.0 || (*value - 4.0 / 3.0).abs() < 1e-6));
    }
}
