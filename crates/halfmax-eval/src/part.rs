//! A part of an evaluation: some folds are left out for testing, the others are for training.

use std::sync::Arc;

use halfmax_core::{Error, FeatureSelection, FeatureValues, Result, Screen, TrainView};

use crate::{Folds, Protocol};

/// A part of an evaluation: some folds are left out for testing, the others are for training.
pub(crate) struct Part<'a> {
    /// The left-out folds.
    pub(crate) folds: Vec<usize>,
    pub(crate) train: TrainView<'a>,
    pub(crate) test: Arc<[usize]>,
}

impl<'a> Part<'a> {
    pub(crate) fn of(
        screen: &'a Screen,
        folds: &Folds,
        left_out: &[usize],
        protocol: &Protocol,
    ) -> Result<Self> {
        let (rows, test) = folds.train_test(left_out);
        for (name, part) in [("training", &rows), ("testing", &test)] {
            if part.is_empty() {
                return Err(Error::data(format!("{} has no responses for {name}", name_of(left_out))));
            }
        }
        let mut train = TrainView { screen, rows, features: FeatureSelection::all(screen) };
        select(&mut train, protocol)?;
        Ok(Self { folds: left_out.to_vec(), train, test: test.into() })
    }

    pub(crate) fn name(&self) -> String {
        name_of(&self.folds)
    }
}

pub(crate) fn name_of(left_out: &[usize]) -> String {
    match left_out {
        [fold] => format!("fold {fold}"),
        _ => {
            let folds: Vec<String> = left_out.iter().map(usize::to_string).collect();
            format!("without folds {}", folds.join(" and "))
        }
    }
}

/// Keeps the most variable features if the protocol says so, and removes single-agent features of held-out entities.
fn select(train: &mut TrainView, protocol: &Protocol) -> Result<()> {
    let screen = train.screen;
    train.leave_out_unseen_single_agents();
    let seen = train.seen(0);
    let table = screen.sides[0].table;
    for (kind, most) in &protocol.top_variance {
        let blocks = screen.tables[table].blocks();
        let block = blocks.iter().position(|block| block.kind == *kind);
        match block.map(|block| (block, &blocks[block].values)) {
            Some((block, FeatureValues::Real(_))) => {
                train.features.keep_most_variable(screen, table, block, *most, &seen);
            }
            Some(_) => {
                return Err(Error::parameter("top_variance", most, "a block of real numbers")
                    .with_context(format!("features {kind:?}")));
            }
            None => {
                let entity_kind = screen.tables[table].entity_kind();
                return Err(Error::config(format!(
                    "top_variance: the {entity_kind}s have no features {kind:?}"
                )));
            }
        }
    }
    Ok(())
}
