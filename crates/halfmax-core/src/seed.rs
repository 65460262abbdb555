//! Seeds of random numbers.

/// A seed, and a way to derive independent ones from it: per fold, per round, per node.
///
/// ```
/// use halfmax_core::Seed;
/// let fold = Seed::new(2026).derive(3);
/// assert_ne!(fold, Seed::new(2026).derive(4));
/// assert_eq!(fold, Seed::new(2026).derive(3));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// A seed from a number.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed for part `part` of the work (the finaliser of SplitMix64, Steele, Lea & Flood 2014).
    #[must_use]
    pub const fn derive(self, part: u64) -> Self {
        Self(mix(self.0 ^ mix(part.wrapping_add(0x9E37_79B9_7F4A_7C15))))
    }

    /// The number to seed a generator with.
    pub const fn value(self) -> u64 {
        self.0
    }
}

const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}
