//! Histograms of numeric features, shared by box trees and vector trees.

use rayon::prelude::*;

use crate::bins::SideBins;
use crate::lanes::Lanes;

/// Features are handled in blocks of this many, so that one 8-byte load brings an entity's codes of a whole block.
pub const BLOCK: usize = 8;

/// The codes of the numeric features that one tree uses, block by block, entity by entity.
#[derive(Debug, Default)]
pub struct Tile {
    /// Positions in [`SideBins::numeric`]; padded to whole blocks in `codes` only.
    pub features: Vec<usize>,
    codes: Vec<[u8; BLOCK]>,
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
                let columns = [a, b, c, d, e, f, g, h].map(|feature| &side.codes_of(feature)[..block.len()]);
                for (at, entity) in block.iter_mut().enumerate() {
                    *entity = columns.map(|column| column[at]);
                }
                return;
            }
            for (lane, feature) in features.iter().enumerate() {
                for (entity, code) in block.iter_mut().zip(side.codes_of(*feature)) {
                    entity[lane] = *code;
                }
            }
        });
        Self { features, codes, entities }
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.features.len().div_ceil(BLOCK)
    }

    /// The codes of one block, one entry per entity.
    pub fn block(&self, block: usize) -> &[[u8; BLOCK]] {
        &self.codes[block * self.entities..(block + 1) * self.entities]
    }

    /// The features of one block.
    pub fn features_of(&self, block: usize) -> &[usize] {
        let end = self.features.len().min((block + 1) * BLOCK);
        &self.features[block * BLOCK..end]
    }
}

/// Adds the lanes of `entities` (one each, in the same order) to the histograms of one block: `BLOCK` histograms of
/// `BINS` bins, one after the other.
#[inline(always)]
pub fn accumulate<L: Lanes, const BINS: usize>(
    codes: &[[u8; BLOCK]],
    entities: &[u32],
    lanes: &[L],
    histograms: &mut [[L; BINS]],
) {
    let Ok(histograms) = <&mut [[L; BINS]; BLOCK]>::try_from(histograms) else { return };
    for (entity, lane) in entities.iter().zip(lanes) {
        let codes = codes[*entity as usize];
        for (histogram, code) in histograms.iter_mut().zip(codes) {
            // Codes are below BINS; the remainder only tells the compiler so.
            histogram[usize::from(code) % BINS].add(*lane);
        }
    }
}

/// Histogram buffers that are used again, since most of their life they are all zeros being filled.
#[derive(Debug)]
pub struct Pool<L, const BINS: usize> {
    free: Vec<Vec<[L; BINS]>>,
}

impl<L: Lanes, const BINS: usize> Pool<L, BINS> {
    /// An empty pool.
    pub fn new() -> Self {
        Self { free: Vec::new() }
    }

    /// A buffer of this many histograms, with arbitrary contents.
    pub fn take(&mut self, histograms: usize) -> Vec<[L; BINS]> {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.resize(histograms, [L::default(); BINS]);
        buffer
    }

    /// Gives a buffer back.
    pub fn give(&mut self, buffer: Vec<[L; BINS]>) {
        if buffer.capacity() > 0 {
            self.free.push(buffer);
        }
    }
}
