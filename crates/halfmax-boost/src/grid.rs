//! Scores of whole grids of entities.
//!
//! Every tree sorts the columns of a grid into a few patterns. Trees are merged into groups with at most 256 joint patterns
//! of the columns. For a row, a group is then a table of at most 256 sums. A score is one look-up per group instead of one
//! walk per tree.

use halfmax_core::{PreparedGrid, Result};
use rayon::prelude::*;

use crate::model::{Entities, FittedBoost};
use crate::shape::{Patterns, common_leaf};
use crate::tree::{Leaves, Tree};

/// Number of groups that are looked up together.
const LANES: usize = 4;
/// Maximum number of joint column patterns of a group.
const JOINT: usize = 256;

/// A model prepared for the rows and columns of a grid.
pub(crate) struct Grid<'a> {
    model: &'a FittedBoost,
    entities: Vec<Entities>,
    columns: &'a [u32],
    groups: Vec<Group>,
    /// For every column, its joint pattern in each of `LANES` groups; groups come in blocks of `LANES`.
    joints: Vec<Vec<[u8; LANES]>>,
    /// Trees with a vector over the columns' side, with the leaf that every row entity reaches.
    over_columns: Vec<(&'a [i32], Vec<u32>)>,
    /// For every column, the summed vectors over the training entities of the rows' side; empty without such trees.
    over_rows: Vec<Vec<i32>>,
}

/// Trees that are looked up together.
struct Group {
    trees: Vec<Member>,
    joint: Vec<u8>,
    /// Number of joint patterns.
    size: usize,
}

/// A tree with the patterns of both sides' entities. Scalar leaves also have a value for each pair of patterns.
struct Routed {
    rows: Patterns,
    columns: Patterns,
    table: Vec<i32>,
}

struct Member {
    row_pattern: Vec<u32>,
    /// Values by row pattern and column pattern.
    table: Vec<i32>,
    width: usize,
    /// For each joint pattern of the group, the tree's column pattern.
    of_joint: Vec<u32>,
}

impl<'a> Grid<'a> {
    pub(crate) fn new(model: &'a FittedBoost, entities: Vec<Entities>, columns: &'a [u32]) -> Self {
        let mut grid = Self {
            model,
            entities,
            columns,
            groups: Vec::new(),
            joints: Vec::new(),
            over_columns: Vec::new(),
            over_rows: Vec::new(),
        };
        for trees in model.trees.chunks(64) {
            let routed: Vec<Routed> = trees
                .par_iter()
                .map(|tree| {
                    let [rows, columns] =
                        [0, 1].map(|side| grid.entities[usize::from(side)].patterns(tree, side));
                    let table = match &tree.leaves {
                        Leaves::Scalar(values) => joint_values(values, &rows, &columns),
                        Leaves::Vector { .. } => Vec::new(),
                    };
                    Routed { rows, columns, table }
                })
                .collect();
            trees.iter().zip(routed).for_each(|(tree, routed)| grid.add(tree, routed));
        }
        for groups in grid.groups.chunks(LANES) {
            let of = |column: usize| {
                std::array::from_fn(|lane| groups.get(lane).map_or(0, |group| group.joint[column]))
            };
            grid.joints.push((0..columns.len()).map(of).collect());
        }
        grid
    }

    fn add(&mut self, tree: &'a Tree, Routed { rows, columns, table }: Routed) {
        match &tree.leaves {
            Leaves::Scalar(_) => self.add_scalar(table, &rows, &columns),
            Leaves::Vector { side: 1, values } => {
                let leaf = |pattern: &Vec<u64>| common_leaf(std::iter::once(pattern.as_slice())) as u32;
                let leaves: Vec<u32> = rows.leaves.iter().map(leaf).collect();
                let reached = rows.of_entity.iter().map(|pattern| leaves[*pattern as usize]).collect();
                self.over_columns.push((values, reached));
            }
            Leaves::Vector { .. } => {
                let width = self.model.sides[0].ids.len() + 1;
                if self.over_rows.is_empty() {
                    self.over_rows = vec![vec![0; width]; self.columns.len()];
                }
                self.over_rows.par_iter_mut().zip(self.columns).for_each(|(sums, column)| {
                    let pattern = &columns.leaves[columns.of_entity[*column as usize] as usize];
                    let leaf = common_leaf(std::iter::once(pattern.as_slice()));
                    if let Some((_, values)) = tree.vector(leaf) {
                        add(sums, values);
                    }
                });
            }
        }
    }

    fn add_scalar(&mut self, table: Vec<i32>, rows: &Patterns, columns: &Patterns) {
        let width = columns.leaves.len();
        let member = Member { row_pattern: rows.of_entity.clone(), table, width, of_joint: Vec::new() };
        let of_column = |column: &u32| columns.of_entity[*column as usize];
        if let Some(group) = self.groups.last_mut()
            && let Some((joint, size, from)) =
                refine(&group.joint, group.size, self.columns.iter().map(of_column), width)
        {
            for member in &mut group.trees {
                member.of_joint = from.iter().map(|(old, _)| member.of_joint[usize::from(*old)]).collect();
            }
            let of_joint = from.iter().map(|(_, pattern)| *pattern).collect();
            group.trees.push(Member { of_joint, ..member });
            (group.joint, group.size) = (joint, size);
            return;
        }
        let start = vec![0; self.columns.len()];
        match refine(&start, 1, self.columns.iter().map(of_column), width) {
            Some((joint, size, from)) => {
                let of_joint = from.iter().map(|(_, pattern)| *pattern).collect();
                self.groups.push(Group { trees: vec![Member { of_joint, ..member }], joint, size });
            }
            None => {
                // The tree has more column patterns than a group may have: it gets its own groups of columns.
                let (rows, table) = (member.row_pattern, member.table);
                self.wide(&rows, &table, width, columns);
            }
        }
    }

    /// Adds a tree that has too many column patterns for one group, as several groups that each cover some of the patterns.
    fn wide(&mut self, rows: &[u32], table: &[i32], width: usize, columns: &Patterns) {
        for from in (0..width).step_by(JOINT - 1) {
            let until = width.min(from + JOINT - 1);
            let here = |pattern: u32| (from..until).contains(&(pattern as usize));
            // Joint pattern 0 means all columns of other groups and adds nothing.
            let joint = self.columns.iter().map(|column| {
                let pattern = columns.of_entity[*column as usize];
                if here(pattern) { (pattern as usize - from + 1) as u8 } else { 0 }
            });
            let part = table
                .chunks(width)
                .flat_map(|row| std::iter::once(0).chain(row[from..until].iter().copied()));
            let size = until - from + 1;
            let member = Member {
                row_pattern: rows.to_vec(),
                table: part.collect(),
                width: size,
                of_joint: (0..size as u32).collect(),
            };
            self.groups.push(Group { trees: vec![member], joint: joint.collect(), size });
        }
    }

    /// Scores of these rows, row-major.
    pub(crate) fn rows(&self, rows: &[u32]) -> Vec<f32> {
        let mut scores = vec![0.0; rows.len() * self.columns.len()];
        let of_rows = scores.par_chunks_mut(self.columns.len().max(1)).zip(rows);
        of_rows.for_each_init(
            || (vec![0; self.columns.len()], vec![[0; JOINT]; self.joints.len() * LANES]),
            |(sums, tables), (scores, row)| self.row(*row, sums, tables, scores),
        );
        scores
    }

    fn row(&self, row: u32, sums: &mut [i32], tables: &mut [[i32; JOINT]], scores: &mut [f32]) {
        sums.fill(0);
        for (table, group) in tables.iter_mut().zip(&self.groups) {
            group.fill(row, table);
        }
        for (tables, joints) in tables.as_chunks::<LANES>().0.iter().zip(&self.joints) {
            for (sum, joint) in sums.iter_mut().zip(joints) {
                let looked_up = (0..LANES).map(|lane| tables[lane][usize::from(joint[lane])]);
                *sum = looked_up.fold(*sum, i32::wrapping_add);
            }
        }
        self.add_vectors(row, sums);
        let baseline = |column: u32| self.model.baseline(&self.entities, &[row, column]);
        for ((score, sum), column) in scores.iter_mut().zip(sums).zip(self.columns) {
            *score = (baseline(*column) + f64::from(*sum) * self.model.quantum) as f32;
        }
    }

    fn add_vectors(&self, row: u32, sums: &mut [i32]) {
        if !self.over_columns.is_empty() {
            let width = self.model.sides[1].ids.len() + 1;
            let mut vector = vec![0i32; width];
            for (values, leaf) in &self.over_columns {
                add(&mut vector, &values[leaf[row as usize] as usize * width..][..width]);
            }
            for (sum, column) in sums.iter_mut().zip(self.columns) {
                *sum = sum.wrapping_add(vector[self.entities[1].number(*column, width - 1)]);
            }
        }
        if !self.over_rows.is_empty() {
            let number = self.entities[0].number(row, self.model.sides[0].ids.len());
            for (sum, vector) in sums.iter_mut().zip(&self.over_rows) {
                *sum = sum.wrapping_add(vector[number]);
            }
        }
    }
}

impl PreparedGrid for Grid<'_> {
    fn scores(&self, rows: &[u32]) -> Result<Vec<f32>> {
        Ok(self.rows(rows))
    }
}

impl Group {
    /// The sums of a row, by joint pattern.
    fn fill(&self, row: u32, table: &mut [i32; JOINT]) {
        let table = &mut table[..self.size];
        table.fill(0);
        for member in &self.trees {
            let values =
                &member.table[member.row_pattern[row as usize] as usize * member.width..][..member.width];
            for (sum, pattern) in table.iter_mut().zip(&member.of_joint) {
                *sum = sum.wrapping_add(values[*pattern as usize]);
            }
        }
    }
}

/// The value of every pair of a row pattern and a column pattern.
fn joint_values(values: &[i32], rows: &Patterns, columns: &Patterns) -> Vec<i32> {
    let value = |row: &[u64], column: &Vec<u64>| values[common_leaf([row, column.as_slice()].into_iter())];
    rows.leaves.iter().flat_map(|row| columns.leaves.iter().map(move |column| value(row, column))).collect()
}

fn add(sums: &mut [i32], values: &[i32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum = sum.wrapping_add(*value));
}

/// The joint patterns of a group and one more tree: for every column its pattern number, and for each pattern the two
/// patterns that it combines. `None` if there are too many.
#[allow(clippy::type_complexity)]
fn refine(
    joint: &[u8],
    size: usize,
    patterns: impl Iterator<Item = u32>,
    width: usize,
) -> Option<(Vec<u8>, usize, Vec<(u8, u32)>)> {
    let mut numbers = vec![u16::MAX; size * width];
    let mut from = Vec::new();
    let mut refined = Vec::with_capacity(joint.len());
    for (old, pattern) in joint.iter().zip(patterns) {
        let number = &mut numbers[usize::from(*old) * width + pattern as usize];
        if *number == u16::MAX {
            if from.len() == JOINT {
                return None;
            }
            *number = from.len() as u16;
            from.push((*old, pattern));
        }
        refined.push(*number as u8);
    }
    Some((refined, from.len(), from))
}
