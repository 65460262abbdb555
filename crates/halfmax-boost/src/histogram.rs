//! Histograms of numeric features, shared by box trees and vector trees.

use rayon::prelude::*;

use crate::bins::SideBins;
use crate::packed_sums::Lanes;

/// Number of features in a block. One 8-byte load reads an entity's codes of a whole block.
pub const BLOCK: usize = 8;

/// The codes of the numeric features that one tree uses, block by block, entity by entity.
#[derive(Debug, Default)]
pub struct Tile {
    /// Positions in [`SideBins::numeric`]; padded to whole blocks in `codes` only.
    pub features: Vec<usize>,
    codes: Vec<[u8; BLOCK]>,
    /// For each block, the maximum number of bins of its features, without the bin for missing values.
    bins: Vec<usize>,
    entities: usize,
}

impl Tile {
    /// Gathers the codes of these features.
    pub fn gather(side: &SideBins, features: Vec<usize>) -> Self {
        let entities = side.entities;
        let mut codes = vec![[0; BLOCK]; features.len().div_ceil(BLOCK) * entities];
        let blocks = codes.par_chunks_mut(entities.max(1)).zip(features.par_chunks(BLOCK));
        blocks.for_each(|(block, features)| {
            if let &[a, b, c, d, e, f, g, h] = features {
                let [a, b, c, d, e, f, g, h] =
                    [a, b, c, d, e, f, g, h].map(|feature| &side.codes_of(feature)[..block.len()]);
                for (at, entity) in block.iter_mut().enumerate() {
                    *entity = [a[at], b[at], c[at], d[at], e[at], f[at], g[at], h[at]];
                }
                return;
            }
            for (lane, feature) in features.iter().enumerate() {
                for (entity, code) in block.iter_mut().zip(side.codes_of(*feature)) {
                    entity[lane] = *code;
                }
            }
        });
        let bins_of = |feature: &usize| side.numeric[*feature].cuts.len() + 1;
        let most = |block: &[usize]| block.iter().map(bins_of).max().unwrap_or(0);
        let bins = features.chunks(BLOCK).map(most).collect();
        Self { features, codes, bins, entities }
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.features.len().div_ceil(BLOCK)
    }

    /// The codes of one block, one entry per entity.
    pub fn block(&self, block: usize) -> &[[u8; BLOCK]] {
        &self.codes[block * self.entities..(block + 1) * self.entities]
    }

    /// The maximum number of bins of a feature in one block, without the bin for missing values.
    pub fn bins_of(&self, block: usize) -> usize {
        self.bins[block]
    }

    /// The features of one block.
    pub fn features_of(&self, block: usize) -> &[usize] {
        let end = self.features.len().min((block + 1) * BLOCK);
        &self.features[block * BLOCK..end]
    }
}

/// The histograms of a block of features, bin by bin. The sums of one bin are adjacent for all features, so that cuts of all
/// features can be compared at once.
pub type Histograms<L, const BINS: usize> = [[L; BLOCK]; BINS];

/// Adds the lanes of `entities` (one each, in the same order) to the histograms of one block.
#[inline(always)]
#[allow(clippy::needless_range_loop)]
pub fn accumulate<L: Lanes, const BINS: usize>(
    codes: &[[u8; BLOCK]],
    entities: &[u32],
    lanes: &[L],
    histograms: &mut Histograms<L, BINS>,
) {
    for (entity, lane) in entities.iter().zip(lanes) {
        let (codes, lane) = (u64::from_le_bytes(codes[*entity as usize]), *lane);
        for feature in 0..BLOCK {
            // Codes are below BINS. The remainder only lets the compiler know.
            let code = (codes >> (8 * feature)) as usize % BINS;
            histograms[code][feature].add(lane);
        }
    }
}

/// Histogram buffers for reuse.
#[derive(Debug)]
pub struct Pool<L, const BINS: usize> {
    free: Vec<Vec<Histograms<L, BINS>>>,
}

impl<L: Lanes, const BINS: usize> Pool<L, BINS> {
    /// An empty pool.
    pub fn new() -> Self {
        Self { free: Vec::new() }
    }

    /// A buffer for this many blocks, with arbitrary contents.
    pub fn take(&mut self, blocks: usize) -> Vec<Histograms<L, BINS>> {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.resize(blocks, [[L::default(); BLOCK]; BINS]);
        buffer
    }

    /// Gives a buffer back.
    pub fn give(&mut self, buffer: Vec<Histograms<L, BINS>>) {
        if buffer.capacity() > 0 {
            self.free.push(buffer);
        }
    }
}
