//! The blocks of two drugs that belong to a block of more drugs.

use std::collections::HashMap;

use halfmax_data::{Block, Matrices, MultiBlock};

/// For each block of three and more drugs, the ids of the blocks of its pairs. A pair has two of its drugs and its cell line. If the file
/// names blocks, the pair also has its name.
pub(super) fn pairs_of_blocks(found: &Matrices) -> Vec<Vec<String>> {
    let mut by_drugs: HashMap<(Option<&str>, [&str; 2]), Vec<&Block>> = HashMap::new();
    for block in &found.blocks {
        let mut drugs = [block.drugs[0].as_str(), block.drugs[1].as_str()];
        drugs.sort_unstable();
        by_drugs.entry((block.cell_line.as_deref(), drugs)).or_default().push(block);
    }
    let pairs = |block: &MultiBlock| {
        let drugs = &block.drugs;
        let pairs = (0..drugs.len()).flat_map(|a| (a + 1..drugs.len()).map(move |b| [a, b]));
        let blocks = pairs.flat_map(|pair| {
            let mut drugs = pair.map(|drug| drugs[drug].as_str());
            drugs.sort_unstable();
            by_drugs.get(&(block.cell_line.as_deref(), drugs)).into_iter().flatten()
        });
        let own = |pair: &&&Block| match (file_id(&pair.id, &pair.drugs), file_id(&block.id, drugs)) {
            (Some(pair), many) => pair == many.unwrap_or(&block.id),
            // A file without names of blocks: blocks are numbered.
            (None, _) => true,
        };
        blocks.filter(own).map(|pair| pair.id.clone()).collect()
    };
    found.many.iter().map(pairs).collect()
}

/// The name in the file of a block whose id is this name followed by its drugs, once or twice; none for other ids.
fn file_id<'a>(id: &'a str, drugs: &[String]) -> Option<&'a str> {
    let drugs = drugs.join("+");
    let without = |id: &'a str| id.strip_suffix(&drugs)?.strip_suffix(':');
    without(id).map(|once| without(once).unwrap_or(once))
}
