//! Draws of random numbers, the same in every run.

// Each simulation uses some of it.
#![allow(dead_code)]

use halfmax_core::Seed;

/// Numbers that look random.
pub trait Draw {
    /// The next number from 0 to 1.
    fn uniform(&mut self) -> f64;

    /// A number between two.
    fn between(&mut self, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// A standard normal number (Box & Muller 1958).
    fn normal(&mut self) -> f64 {
        let (a, b) = (self.uniform().max(1e-300), self.uniform());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

/// Draws of a seed of its own for each curve or matrix.
pub struct Draws {
    seed: Seed,
    at: u64,
}

impl Draws {
    pub fn new(seed: Seed) -> Self {
        Self { seed, at: 0 }
    }
}

impl Draw for Draws {
    fn uniform(&mut self) -> f64 {
        self.at += 1;
        (self.seed.derive(self.at).value() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// One sequence for a whole file, by a linear congruential generator with Knuth's constants for 64 bits (MMIX).
pub struct Sequence(pub u64);

impl Draw for Sequence {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}
