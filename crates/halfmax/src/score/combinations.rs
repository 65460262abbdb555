//! Scores of combinations: listed combinations, or all.

use std::ops::Range;
use std::time::{Duration, Instant};

use halfmax_core::{CombinationScores, Error, PreparedCombinations, Progress, Result, pairs_before};
use halfmax_data::{Pieces, TableFile, read_wanted_combinations};
use rayon::prelude::*;

use super::scorer::Scorer;
use super::top_k::{Candidate, Selection};
use super::{AT_A_TIME, ScoreOptions};

/// The number of combinations that one thread scores at a time.
const SLICE: usize = 1 << 17;
/// The maximum number of cell lines whose best combinations are found at a time.
const MAX_CELL_LINES: usize = 16;
/// The approximate number of scores of these cell lines together.
const TARGET_SCORES: usize = 1 << 28;
/// The number of these scores held in memory at once.
const MAX_CANDIDATES: usize = 1 << 24;
/// If a round takes less time, the next round scores twice as many slices.
const AT_LEAST: Duration = Duration::from_millis(500);

/// Scores the combinations of a list, or all combinations, in every cell line or in the cell lines of the list.
pub fn score(
    scorer: &Scorer,
    list: Option<&TableFile>,
    options: ScoreOptions,
    out: &mut Pieces,
    progress: &dyn Progress,
) -> Result<()> {
    let (cells, drugs) = (scorer.tables[0], scorer.tables[1]);
    let Some(path) = list else {
        let mut order: Vec<u32> = (0..drugs.len() as u32).collect();
        order.sort_by_key(|drug| &drugs.ids()[*drug as usize]);
        if order.len() < 2 {
            return Err(Error::data(format!("{} drugs: expected at least two to combine", order.len())));
        }
        let prepared = scorer.fitted.prepare_combinations(&scorer.tables, &order)?;
        let every = Every { prepared: &*prepared, slices: row_slices(order.len()), order: &order };
        return in_cell_lines(scorer, &every, options, out, progress);
    };
    let wanted = read_wanted_combinations(path, cells, drugs)?;
    wanted.notes.iter().for_each(|note| progress.warn(note));
    let [first, second] = [0, 1].map(|side: usize| wanted.drugs[side].as_slice());
    match (&wanted.cells, options.selection.top) {
        (None, _) => {
            let listed = Listed { scorer, drugs: [first, second] };
            in_cell_lines(scorer, &listed, options, out, progress)
        }
        (Some(cells), None) => scorer.rows(&[cells, first, second], options, out, progress),
        (Some(cells), Some(_)) => best_rows(scorer, [cells, first, second], options, out, progress),
    }
}

/// Combinations in slices, for scores in any cell line.
trait Combinations: Sync {
    /// The start of each slice, followed by the number of combinations.
    fn starts(&self) -> Vec<usize>;

    /// The two drugs of a combination.
    fn drugs(&self, at: usize) -> [u32; 2];

    /// Prepares the scores in some cell lines.
    fn in_cell_lines<'a>(&'a self, cells: &'a [u32]) -> Result<Box<dyn Slices + 'a>>;
}

/// Scores in some cell lines.
trait Slices: Sync {
    /// The scores of a slice in one of these cell lines.
    fn scores(&self, cell: usize, slice: usize) -> Result<Vec<f32>>;
}

/// Every combination of some drugs.
struct Every<'a> {
    prepared: &'a dyn PreparedCombinations,
    order: &'a [u32],
    slices: Vec<Range<usize>>,
}

/// Ranges of first drugs. Each range makes about [`SLICE`] combinations with all later drugs.
fn row_slices(count: usize) -> Vec<Range<usize>> {
    let mut slices: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for row in 0..count.saturating_sub(1) {
        if pairs_before(row + 1, count) - pairs_before(start, count) >= SLICE || row + 2 == count {
            slices.push(start..row + 1);
            start = row + 1;
        }
    }
    slices
}

impl Combinations for Every<'_> {
    fn starts(&self) -> Vec<usize> {
        let count = self.order.len();
        let starts = self.slices.iter().map(|rows| pairs_before(rows.start, count));
        starts.chain([pairs_before(count, count)]).collect()
    }

    fn drugs(&self, at: usize) -> [u32; 2] {
        let count = self.order.len();
        // The last first drug whose combinations begin at or before this position.
        let (mut low, mut high) = (0, count - 1);
        while low + 1 < high {
            let middle = (low + high) / 2;
            if pairs_before(middle, count) <= at { low = middle } else { high = middle }
        }
        let second = low + 1 + at - pairs_before(low, count);
        [self.order[low], self.order[second]]
    }

    fn in_cell_lines<'a>(&'a self, cells: &'a [u32]) -> Result<Box<dyn Slices + 'a>> {
        Ok(Box::new(EverySlices { scores: self.prepared.in_cell_lines(cells)?, slices: &self.slices }))
    }
}

struct EverySlices<'a> {
    scores: Box<dyn CombinationScores + 'a>,
    slices: &'a [Range<usize>],
}

impl Slices for EverySlices<'_> {
    fn scores(&self, cell: usize, slice: usize) -> Result<Vec<f32>> {
        self.scores.scores(cell, self.slices[slice].clone())
    }
}

/// Combinations of a list.
struct Listed<'a> {
    scorer: &'a Scorer<'a>,
    drugs: [&'a [u32]; 2],
}

impl Combinations for Listed<'_> {
    fn starts(&self) -> Vec<usize> {
        let count = self.drugs[0].len();
        (0..count).step_by(SLICE).chain([count]).collect()
    }

    fn drugs(&self, at: usize) -> [u32; 2] {
        self.drugs.map(|list| list[at])
    }

    fn in_cell_lines<'a>(&'a self, cells: &'a [u32]) -> Result<Box<dyn Slices + 'a>> {
        Ok(Box::new(ListedSlices { all: self, cells }))
    }
}

struct ListedSlices<'a> {
    all: &'a Listed<'a>,
    cells: &'a [u32],
}

impl Slices for ListedSlices<'_> {
    fn scores(&self, cell: usize, slice: usize) -> Result<Vec<f32>> {
        let [first, second] = self.all.drugs;
        let here = slice * SLICE..((slice + 1) * SLICE).min(first.len());
        let cells = vec![self.cells[cell]; here.len()];
        self.all.scorer.predict(&[&cells, &first[here.clone()], &second[here]])
    }
}

/// A unit of work and of output: some cell lines with some slices.
struct Unit {
    cells: Range<usize>,
    slices: Range<usize>,
}

impl Unit {
    /// The number of tasks. A task is a slice in a cell line.
    fn tasks(&self) -> usize {
        self.cells.len() * self.slices.len()
    }

    /// The cell line and the slice of a task. All cell lines finish a slice before the next slice begins.
    fn task(&self, at: usize) -> (usize, usize) {
        (at % self.cells.len(), self.slices.start + at / self.cells.len())
    }
}

/// The units of some cell lines. If only the best scores are kept, a unit has whole cell lines.
fn units(cells: Range<usize>, starts: &[usize], selection: Selection) -> Vec<Unit> {
    let slices = starts.len() - 1;
    let combinations = starts[slices];
    let whole = |at_a_time: usize| -> Vec<Unit> {
        let begin = cells.clone().step_by(at_a_time);
        begin
            .map(|start| Unit { cells: start..(start + at_a_time).min(cells.end), slices: 0..slices })
            .collect()
    };
    if let Some(top) = selection.top {
        let candidates = top.min(SLICE) * slices;
        let at_a_time = (TARGET_SCORES / combinations.max(1)).min(MAX_CANDIDATES / candidates.max(1));
        return whole(at_a_time.clamp(1, MAX_CELL_LINES));
    }
    if combinations <= AT_A_TIME {
        return whole((AT_A_TIME / combinations.max(1)).max(1));
    }
    let at_a_time = (AT_A_TIME / SLICE).max(1);
    let of_cell = |cell: usize| {
        let begin = (0..slices).step_by(at_a_time);
        begin.map(move |start| Unit { cells: cell..cell + 1, slices: start..(start + at_a_time).min(slices) })
    };
    cells.flat_map(of_cell).collect()
}

fn in_cell_lines(
    scorer: &Scorer,
    combinations: &dyn Combinations,
    options: ScoreOptions,
    out: &mut Pieces,
    progress: &dyn Progress,
) -> Result<()> {
    let ScoreOptions { selection, shard } = options;
    let starts = combinations.starts();
    let units = units(shard.range(scorer.tables[0].len(), "cell lines")?, &starts, selection);
    let all: usize = units.iter().map(Unit::tasks).sum();
    let mut before: usize = units.iter().take(out.done()).map(Unit::tasks).sum();
    for unit in units.iter().skip(out.done()) {
        progress.check()?;
        let cells: Vec<u32> = unit.cells.clone().map(|cell| cell as u32).collect();
        let scores = combinations.in_cell_lines(&cells)?;
        let mut part = Part::begun(unit, out);
        // Score more slices at a time if they are fast.
        let mut at_a_time = rayon::current_num_threads();
        while part.next < unit.tasks() {
            let tasks = part.next..(part.next + at_a_time).min(unit.tasks());
            let begun = Instant::now();
            if let Err(error) = part.add((unit, tasks), &*scores, &starts, selection, progress) {
                if selection.top.is_some() && part.next > 0 {
                    part.keep(out)?;
                }
                return Err(error);
            }
            if begun.elapsed() < AT_LEAST {
                at_a_time *= 2;
            }
            progress.step(before + part.next, all);
            // Other units are small and need no draft.
            if selection.top.is_some() && part.next < unit.tasks() && out.draft_is_due() {
                part.keep(out)?;
            }
        }
        let mut rows = Rows::default();
        for (cell, found) in cells.iter().zip(part.kept) {
            rows.extend(*cell, found, |at| combinations.drugs(at));
        }
        rows.write(scorer, out)?;
        before += unit.tasks();
    }
    Ok(())
}

/// A partly completed unit.
struct Part {
    /// The next task.
    next: usize,
    /// The kept scores of each cell line.
    kept: Vec<Vec<Candidate>>,
}

/// The draft of a unit: the next task, and for each cell line the positions and the bits of the scores.
type Draft = (usize, Vec<Vec<(usize, u32)>>);

impl Part {
    /// Restores the unit from the draft of an interrupted command, or starts it.
    fn begun(unit: &Unit, out: &Pieces) -> Self {
        let draft: Option<Draft> = out.draft().and_then(|bytes| serde_json::from_slice(bytes).ok());
        let fits = |(next, kept): &Draft| kept.len() == unit.cells.len() && *next < unit.tasks();
        match draft.filter(fits) {
            Some((next, kept)) => {
                let scored = |(at, bits)| Candidate { at, score: f32::from_bits(bits) };
                let of_cell = |own: Vec<(usize, u32)>| own.into_iter().map(scored).collect();
                Self { next, kept: kept.into_iter().map(of_cell).collect() }
            }
            None => Self { next: 0, kept: vec![Vec::new(); unit.cells.len()] },
        }
    }

    /// Runs the next tasks of a unit.
    fn add(
        &mut self,
        (unit, tasks): (&Unit, Range<usize>),
        scores: &dyn Slices,
        starts: &[usize],
        selection: Selection,
        progress: &dyn Progress,
    ) -> Result<()> {
        let found: Vec<Vec<Candidate>> = tasks
            .clone()
            .into_par_iter()
            .map(|task| {
                progress.check()?;
                let (cell, slice) = unit.task(task);
                Ok(selection.select(&scores.scores(cell, slice)?, starts[slice]))
            })
            .collect::<Result<_>>()?;
        self.next = tasks.end;
        let mut of_cells: Vec<Vec<Vec<Candidate>>> = vec![Vec::new(); self.kept.len()];
        tasks.zip(found).for_each(|(task, found)| of_cells[unit.task(task).0].push(found));
        for (own, parts) in self.kept.iter_mut().zip(of_cells).filter(|(_, parts)| !parts.is_empty()) {
            *own = selection.merge(std::iter::once(std::mem::take(own)).chain(parts));
        }
        Ok(())
    }

    /// Saves the progress of the unit.
    fn keep(&self, out: &mut Pieces) -> Result<()> {
        let bits = |own: &Vec<Candidate>| own.iter().map(|one| (one.at, one.score.to_bits())).collect();
        let draft: Draft = (self.next, self.kept.iter().map(bits).collect());
        let bytes = serde_json::to_vec(&draft);
        out.keep_draft(bytes.map_err(|error| Error::failed("a draft cannot be written").with_source(error))?)
    }
}

/// Rows to write.
#[derive(Default)]
struct Rows {
    sides: [Vec<u32>; 3],
    predicted: Vec<f32>,
}

impl Rows {
    fn extend(&mut self, cell: u32, found: Vec<Candidate>, drugs: impl Fn(usize) -> [u32; 2]) {
        for Candidate { at, score } in found {
            let [first, second] = drugs(at);
            self.sides.iter_mut().zip([cell, first, second]).for_each(|(side, entity)| side.push(entity));
            self.predicted.push(score);
        }
    }

    fn write(&self, scorer: &Scorer, out: &mut Pieces) -> Result<()> {
        let [cells, first, second] = &self.sides;
        scorer.write(out, &[cells, first, second], &self.predicted)
    }
}

/// The best rows of each cell line of a list.
fn best_rows(
    scorer: &Scorer,
    sides: [&[u32]; 3],
    options: ScoreOptions,
    out: &mut Pieces,
    progress: &dyn Progress,
) -> Result<()> {
    let mut order: Vec<usize> = (0..sides[0].len()).collect();
    order.sort_by_key(|at| sides[0][*at]);
    let of_cells: Vec<&[usize]> = order.chunk_by(|a, b| sides[0][*a] == sides[0][*b]).collect();
    let mine = &of_cells[options.shard.range(of_cells.len(), "cell lines in the list")?];
    let mut before = 0;
    let mut numbers: Vec<usize> = Vec::new();
    for rows in mine {
        numbers.push(before / AT_A_TIME);
        before += rows.len();
    }
    // Cell lines are collected until there are enough rows to write.
    let mut at = 0;
    let units: Vec<&[&[usize]]> = numbers
        .chunk_by(|a, b| a == b)
        .map(|own| {
            at += own.len();
            &mine[at - own.len()..at]
        })
        .collect();
    for (number, unit) in units.iter().enumerate().skip(out.done()) {
        progress.check()?;
        let asked: Vec<usize> = unit.iter().flat_map(|rows| rows.iter().copied()).collect();
        let own = sides.map(|side| asked.iter().map(|at| side[*at]).collect::<Vec<u32>>());
        let predicted = scorer.predict(&[&own[0], &own[1], &own[2]])?;
        let mut rows = Rows::default();
        let mut first = 0;
        for own_rows in unit.iter() {
            let here = first..first + own_rows.len();
            let found = options
                .selection
                .merge([options.selection.select(&predicted[here.clone()], first)].into_iter());
            rows.extend(own[0][first], found, |at| [own[1][at], own[2][at]]);
            first = here.end;
        }
        rows.write(scorer, out)?;
        progress.step(number + 1, units.len());
    }
    Ok(())
}
