//! Export to LightGBM's text model.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use halfmax_core::Domain;
use serde_json::json;

use crate::model::FittedBoost;
use crate::tree::{Leaves, Test, Tree};

/// The model in LightGBM's text format, version 4. Each row of the table that it predicts is one tuple of entities.
///
/// For each side, the columns are:
/// 1. the features of the side in the order of its feature space (a category as the position of its level);
/// 2. if the model uses it, the mean response of the training entity;
/// 3. the number of the training entity (missing for other entities). Nodes test it as a category if the model recognises entities.
///
/// `feature_names` names the columns `side/kind/name`.
///
/// Nodes and leaves count the training responses that reach them. For trees with one value per leaf, LightGBM's
/// `pred_contrib` therefore gives the contributions of [`attribute`](halfmax_core::Attributable::attribute). LightGBM treats
/// vector leaves as splits on the number of the training entity, with equal frequencies, so for these trees its contributions
/// differ from ours.
pub fn to_lightgbm(model: &FittedBoost) -> String {
    let columns = Columns::of(model);
    let mut trees = vec![columns.baseline(model)];
    trees.extend(model.trees().iter().map(|tree| columns.tree(model, tree)));
    let texts: Vec<String> = trees.iter().enumerate().map(|(at, tree)| tree.text(at)).collect();
    let sizes: Vec<String> = texts.iter().map(|text| text.len().to_string()).collect();
    let mut out = String::new();
    out.push_str("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\n");
    let _ = writeln!(out, "max_feature_idx={}", columns.names.len() - 1);
    out.push_str("objective=regression\n");
    let _ = writeln!(out, "feature_names={}", columns.names.join(" "));
    let _ = writeln!(out, "feature_infos={}", columns.infos.join(" "));
    let _ = writeln!(out, "tree_sizes={}\n", sizes.join(" "));
    texts.iter().for_each(|text| out.push_str(text));
    out.push_str(
        "end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n\npandas_categorical:null\n",
    );
    out
}

/// Describes the columns of the table that the exported model predicts. For each column: its name, side, kind and feature,
/// and the levels of a category in the order of their numbers. For the two columns after a side's features: the value for
/// each training entity.
pub fn lightgbm_columns(model: &FittedBoost) -> serde_json::Value {
    let names = Columns::of(model).names;
    let mut columns = Vec::new();
    for side in model.sides() {
        for feature in &side.space.features {
            let levels = match &feature.domain {
                Domain::Category(levels) => Some(levels),
                Domain::Real | Domain::Binary => None,
            };
            columns.push(
                json!({"side": side.name, "kind": feature.kind, "feature": feature.name, "levels": levels}),
            );
        }
        // JSON has no NaN. An entity without a mean is left out, so its value is missing.
        let means = side.ids.iter().zip(&side.means).filter(|(_, mean)| mean.is_finite());
        let means: BTreeMap<&String, &f32> = means.collect();
        columns.push(json!({"side": side.name, "kind": "mean_response", "values": means}));
        let numbers: BTreeMap<&String, usize> = side.ids.iter().zip(0..).collect();
        columns.push(json!({"side": side.name, "kind": "training_number", "values": numbers}));
    }
    for (column, name) in columns.iter_mut().zip(names) {
        column["column"] = name.into();
    }
    columns.into()
}

/// The columns of the table, and where the columns of each side begin.
struct Columns {
    names: Vec<String>,
    infos: Vec<String>,
    start: Vec<usize>,
    /// For each side, the column that numbers the training entities.
    number: Vec<usize>,
}

/// A LightGBM tree under construction.
#[derive(Default)]
struct Text {
    feature: Vec<usize>,
    threshold: Vec<f64>,
    decision: Vec<u8>,
    left: Vec<i64>,
    right: Vec<i64>,
    values: Vec<f64>,
    counts: Vec<u64>,
    boundaries: Vec<usize>,
    words: Vec<u32>,
}

const CATEGORICAL: u8 = 1;
const DEFAULT_LEFT: u8 = 2;
const MISSING_IS_NAN: u8 = 8;

impl Columns {
    fn of(model: &FittedBoost) -> Self {
        let mut columns = Self { names: vec![], infos: vec![], start: vec![], number: vec![] };
        for side in model.sides() {
            columns.start.push(columns.names.len());
            for feature in &side.space.features {
                columns.names.push(plain(&format!("{}/{}/{}", side.name, feature.kind, feature.name)));
                columns.infos.push(match &feature.domain {
                    Domain::Category(levels) => {
                        let all: Vec<String> = (0..levels.len()).map(|level| level.to_string()).collect();
                        all.join(":")
                    }
                    Domain::Real | Domain::Binary => "[-inf:inf]".into(),
                });
            }
            for extra in ["mean_response", "training_number"] {
                columns.names.push(plain(&format!("{}/{extra}", side.name)));
                columns.infos.push("[-inf:inf]".into());
            }
            columns.number.push(columns.names.len() - 1);
        }
        columns
    }

    /// The start value of every prediction, as a tree over the numbers of the training entities. Each entity counts once.
    fn baseline(&self, model: &FittedBoost) -> Text {
        let mut text = Text::default();
        let sides = model.sides().iter().map(|side| side.offsets.as_slice()).collect::<Vec<_>>();
        self.offsets(&sides, 0, model.intercept(), &mut text);
        text
    }

    fn offsets(&self, sides: &[&[f64]], side: usize, sum: f64, text: &mut Text) -> i64 {
        if side == sides.len() {
            return text.leaf(sum, 1);
        }
        if sides[side].is_empty() {
            return self.offsets(sides, side + 1, sum, text);
        }
        let values: Vec<f64> = sides[side].iter().copied().chain([0.0]).collect();
        self.by_number(self.number[side], &values, 0, text, &mut |value, text| {
            self.offsets(sides, side + 1, sum + value, text)
        })
    }

    /// A balanced search over the numbers of training entities. The last value is for entities without a number.
    fn by_number(
        &self,
        column: usize,
        values: &[f64],
        from: usize,
        text: &mut Text,
        leaf: &mut impl FnMut(f64, &mut Text) -> i64,
    ) -> i64 {
        let [value] = values else {
            let middle = values.len() / 2;
            // Missing numbers go right at every step, to the last value.
            let node = text.node(column, (from + middle) as f64 - 0.5, MISSING_IS_NAN);
            text.left[node] = self.by_number(column, &values[..middle], from, text, leaf);
            text.right[node] = self.by_number(column, &values[middle..], from + middle, text, leaf);
            return node as i64;
        };
        leaf(*value, text)
    }

    fn tree(&self, model: &FittedBoost, tree: &Tree) -> Text {
        let mut text = Text::default();
        let root = if tree.shape.sides.is_empty() { !0 } else { 0 };
        self.walk(model, tree, root, &mut text);
        text
    }

    fn walk(&self, model: &FittedBoost, tree: &Tree, child: i32, text: &mut Text) -> i64 {
        if child < 0 {
            let (leaf, quantum) = (!child as usize, model.quantum());
            let count = u64::from(tree.covers[leaf]);
            return match &tree.leaves {
                Leaves::Scalar(values) => text.leaf(f64::from(values[leaf]) * quantum, count),
                Leaves::Vector { side, .. } => {
                    let (_, vector) = tree.vector(leaf).unwrap_or_default();
                    let values: Vec<f64> = vector.iter().map(|v| f64::from(*v) * quantum).collect();
                    let column = self.number[usize::from(*side)];
                    self.by_number(column, &values, 0, text, &mut |value, text| text.leaf(value, count))
                }
            };
        }
        let at = child as usize;
        let (feature, test) = &tree.tests[at];
        let column = self.start[usize::from(tree.shape.sides[at])] + *feature as usize;
        let node = match test {
            Test::AtMost { threshold, missing_left } => {
                let direction = if *missing_left { DEFAULT_LEFT } else { 0 };
                text.node(column, f64::from(*threshold), MISSING_IS_NAN | direction)
            }
            Test::OneOf(levels) => text.set(column, levels),
        };
        text.left[node] = self.walk(model, tree, tree.shape.left[at], text);
        text.right[node] = self.walk(model, tree, tree.shape.right[at], text);
        node as i64
    }
}

impl Text {
    fn node(&mut self, column: usize, threshold: f64, decision: u8) -> usize {
        self.feature.push(column);
        self.threshold.push(threshold);
        self.decision.push(decision);
        self.left.push(0);
        self.right.push(0);
        self.feature.len() - 1
    }

    fn set(&mut self, column: usize, levels: &[u64]) -> usize {
        if self.boundaries.is_empty() {
            self.boundaries.push(0);
        }
        let number = self.boundaries.len() - 1;
        self.words.extend(levels.iter().flat_map(|word| [*word as u32, (*word >> 32) as u32]));
        self.boundaries.push(self.words.len());
        self.node(column, number as f64, CATEGORICAL | MISSING_IS_NAN)
    }

    fn leaf(&mut self, value: f64, count: u64) -> i64 {
        self.values.push(value);
        self.counts.push(count);
        !(self.values.len() as i64 - 1)
    }

    /// Number of responses that reach each leaf and each inner node. LightGBM uses only their ratios, and counts in 32 bits.
    fn counts(&self) -> (Vec<u64>, Vec<u64>) {
        let divisor = self.counts.iter().sum::<u64>() / (1 << 30) + 1;
        let leaves: Vec<u64> = self.counts.iter().map(|count| count.div_ceil(divisor)).collect();
        let mut inner = vec![0; self.feature.len()];
        // Children come after their parents.
        for node in (0..inner.len()).rev() {
            let of = |child: i64| if child < 0 { leaves[!child as usize] } else { inner[child as usize] };
            inner[node] = of(self.left[node]) + of(self.right[node]);
        }
        (leaves, inner)
    }

    fn text(&self, at: usize) -> String {
        let mut out = format!(
            "Tree={at}\nnum_leaves={}\nnum_cat={}\n",
            self.values.len(),
            self.boundaries.len().saturating_sub(1)
        );
        let mut line = |name: &str, values: String| {
            let _ = writeln!(out, "{name}={values}");
        };
        let (leaf_counts, inner_counts) = self.counts();
        let zeros = |count: usize| joined(&vec![0; count]);
        line("split_feature", joined(&self.feature));
        line("split_gain", zeros(self.feature.len()));
        line("threshold", joined(&self.threshold));
        line("decision_type", joined(&self.decision));
        line("left_child", joined(&self.left));
        line("right_child", joined(&self.right));
        line("leaf_value", joined(&self.values));
        line("leaf_weight", zeros(self.values.len()));
        line("leaf_count", joined(&leaf_counts));
        line("internal_value", zeros(self.feature.len()));
        line("internal_weight", zeros(self.feature.len()));
        line("internal_count", joined(&inner_counts));
        if !self.boundaries.is_empty() {
            line("cat_boundaries", joined(&self.boundaries));
            line("cat_threshold", joined(&self.words));
        }
        line("is_linear", "0".into());
        line("shrinkage", "1".into());
        out.push_str("\n\n");
        out
    }
}

fn joined<T: std::fmt::Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<String>>().join(" ")
}

/// The name with `_` in place of characters that have a meaning in the format.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "/_.-".contains(c) { c } else { '_' }).collect()
}
