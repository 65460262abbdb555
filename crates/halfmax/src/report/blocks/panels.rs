//! The maps of a block: its cells by the doses of two drugs. A block of three and more drugs has one map for each combination of doses of
//! the other drugs.

use halfmax_data::counted;
use halfmax_dose::synergy::{ModelScores, MultiMatrix};
use halfmax_report::{DosePicture, MatrixPicture, Panel, PanelPicture, SurfacePicture};

use super::facts::summary;
use super::{ScoredBlock, title_of, unit_of};
use crate::report::words::digits;

/// The maximum number of maps of a block.
const MOST_PANELS: usize = 16;
/// The maximum number of cells, so that a page with one block stays small.
const MOST_CELLS: usize = 20_000;

/// The map of some cells by the doses of the first two drugs. The dose of the second drug changes fastest.
pub fn matrix(scored: &ScoredBlock, cells: Vec<usize>) -> MatrixPicture {
    let ScoredBlock { drugs, matrix, scores, .. } = scored;
    let of = |list: &[f64]| -> Vec<f64> {
        cells.iter().map(|cell| list.get(*cell).copied().unwrap_or(f64::NAN)).collect()
    };
    let is_replicated = (0..matrix.len()).any(|cell| matrix.readings(cell).len() > 1);
    let surface = |scores: &ModelScores| SurfacePicture {
        name: title_of(scores.model).into(),
        summary: summary(&scores.summary),
        scores: of(&scores.score),
        intervals: [of(&scores.interval[0]), of(&scores.interval[1])],
    };
    MatrixPicture {
        drugs: [0, 1].map(|drug| drugs.get(drug).cloned().unwrap_or_default()),
        doses: [0, 1].map(|drug| {
            let (_, factor) = unit_of(matrix, drug);
            matrix.doses(drug).iter().map(|dose| factor * dose).collect()
        }),
        units: [0, 1].map(|drug| unit_of(matrix, drug).0.to_owned()),
        response: of(&scores.response),
        replicates: match is_replicated {
            true => cells.iter().map(|cell| matrix.readings(*cell).len()).collect(),
            false => Vec::new(),
        },
        surfaces: scores.models.iter().map(surface).collect(),
        alone: Vec::new(),
    }
}

/// The maps of a block of three and more drugs.
pub fn picture(scored: &ScoredBlock, alone: Vec<DosePicture>) -> PanelPicture {
    let ScoredBlock { drugs, matrix: block, scores, .. } = scored;
    let further: Vec<usize> = (2..drugs.len()).collect();
    // The dose of the last drug changes fastest from cell to cell, so the cells of one map are as far apart as the number of maps.
    let all: usize = further.iter().map(|drug| block.doses(*drug).len()).product();
    let mut has_reading = vec![false; all];
    for (cell, _) in scores.response.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
        has_reading[cell % all] = true;
    }
    let with: Vec<usize> = (0..all).filter(|at| has_reading[*at]).collect();
    let size = block.len() / all;
    let most = (MOST_CELLS / size.max(1)).clamp(1, MOST_PANELS);
    let shown: Vec<usize> = if with.len() > most { some(block, &further, &with, most) } else { with.clone() };
    let panel = |at: &usize| Panel {
        name: doses_of(scored, *at, &further),
        matrix: matrix(scored, (0..size).map(|cell| cell * all + at).collect()),
    };
    PanelPicture {
        panels: shown.iter().map(panel).collect(),
        note: note(scored, [all, with.len(), shown.len()]),
        alone,
    }
}

/// The maps to show, at most this many. Their doses of the further drugs are evenly spaced between the ends. Maps without a reading are
/// left out.
fn some(block: &MultiMatrix, further: &[usize], with: &[usize], most: usize) -> Vec<usize> {
    let mut kept: Vec<Vec<f64>> = further.iter().map(|drug| block.doses(*drug).to_vec()).collect();
    let mut counts: Vec<usize> = kept.iter().map(Vec::len).collect();
    while counts.iter().product::<usize>() > most {
        // Drops one dose of the drug with the most doses.
        let Some(longest) = counts.iter_mut().max_by_key(|count| **count).filter(|count| **count > 1) else {
            break;
        };
        *longest -= 1;
    }
    for (doses, count) in kept.iter_mut().zip(&counts) {
        *doses = evenly(doses, *count);
    }
    let is_kept =
        |at: &&usize| further.iter().zip(&kept).all(|(drug, doses)| doses.contains(&block.dose(**at, *drug)));
    let chosen: Vec<usize> = with.iter().filter(is_kept).copied().collect();
    // A few measured combinations need not lie on a grid.
    if 2 * chosen.len() >= counts.iter().product::<usize>() { chosen } else { evenly(with, most) }
}

/// This many entries of a list, evenly spaced from its first to its last; for one entry, the last.
fn evenly<T: Copy>(list: &[T], count: usize) -> Vec<T> {
    let last = list.len().saturating_sub(1);
    match count {
        1 => list.last().copied().into_iter().collect(),
        _ if count > last => list.to_vec(),
        _ => (0..count)
            .filter_map(|at| list.get((at * last + (count - 1) / 2) / (count - 1)))
            .copied()
            .collect(),
    }
}

/// `no C, D 0.3 µM`.
fn doses_of(scored: &ScoredBlock, at: usize, further: &[usize]) -> String {
    let one = |drug: &usize| {
        let ((unit, factor), dose) = (unit_of(&scored.matrix, *drug), scored.matrix.dose(at, *drug));
        let name = scored.drugs.get(*drug).map_or("", String::as_str);
        if dose > 0.0 { format!("{name} {} {unit}", digits(factor * dose)) } else { format!("no {name}") }
    };
    further.iter().map(one).collect::<Vec<String>>().join(", ")
}

/// A note on the maps, and on the omitted maps.
fn note(scored: &ScoredBlock, [all, with, shown]: [usize; 3]) -> String {
    let (axes, others) = scored.drugs.split_at(scored.drugs.len().min(2));
    let [dose, doses] =
        if others.len() == 1 { ["dose", "doses"] } else { ["doses", "combinations of doses"] };
    let mut said = format!(
        "Each map shows {}, at the {dose} of {} above it.",
        axes.join(" with "),
        others.join(" and ")
    );
    if shown < with {
        said += &format!(" Shown: {shown} of {with} {doses}, evenly spread. The output file has all.");
    }
    if with < all {
        said += &format!(" Left out, without a reading: {}.", counted(all - with, "map"));
    }
    said
}

#[cfg(test)]
mod tests {
    use halfmax_core::Seed;
    use halfmax_dose::synergy::{SynergyModel, SynergyParams};

    use super::*;

    /// A block over this many doses of each drug, including 0. `measured` decides by the positions of the doses whether a cell was measured.
    fn scored(doses: &[usize], measured: impl Fn(&[usize]) -> bool) -> ScoredBlock {
        let mut cells: Vec<Vec<usize>> = vec![Vec::new()];
        for count in doses {
            let longer = |cell: &Vec<usize>| {
                let cell = cell.clone();
                (0..*count).map(move |place| [cell.as_slice(), &[place]].concat())
            };
            cells = cells.iter().flat_map(longer).collect();
        }
        let is_alone = |cell: &[usize]| cell.iter().filter(|place| **place > 0).count() <= 1;
        let readings: Vec<(Vec<f64>, f64)> = cells
            .into_iter()
            .filter(|cell| is_alone(cell) || measured(cell))
            .map(|cell| {
                // Each cell has its own reading.
                let reading = cell.iter().fold(0.0, |sum, place| 10.0 * sum + *place as f64);
                (cell.iter().map(|place| *place as f64).collect(), reading)
            })
            .collect();
        let matrix = MultiMatrix::new(&readings).unwrap();
        let params =
            SynergyParams { models: vec![SynergyModel::Hsa], bootstrap: 0, ..SynergyParams::default() };
        let scores = params.check().unwrap().score_many(&matrix, Seed::new(1));
        let names = ["A", "B", "C", "D", "E"];
        ScoredBlock {
            id: "1".into(),
            drugs: names[..doses.len()].iter().map(|name| (*name).to_owned()).collect(),
            cell_line: None,
            is_sham: false,
            matrix,
            scores,
            fits: Default::default(),
            pairs: Vec::new(),
        }
    }

    fn names(picture: &PanelPicture) -> Vec<&str> {
        picture.panels.iter().map(|panel| panel.name.as_str()).collect()
    }

    #[test]
    fn every_dose_of_a_third_drug_has_a_map_of_its_cells() {
        let found = picture(&scored(&[2, 3, 3], |_| true), Vec::new());
        assert_eq!(names(&found), ["no C", "C 1 µM", "C 2 µM"]);
        assert_eq!(found.note, "Each map shows A with B, at the dose of C above it.");
        // The positions of the doses of A, B and C are the digits of the reading.
        let last = &found.panels[2].matrix;
        assert_eq!(last.response, [2.0, 12.0, 22.0, 102.0, 112.0, 122.0]);
        assert_eq!(last.doses, [vec![0.0, 1.0], vec![0.0, 1.0, 2.0]]);
        // 112 minus the largest effect of a single drug: 100, 10 and 2.
        assert_eq!(last.surfaces[0].scores[4], 12.0);
        assert!(found.panels[0].matrix.surfaces[0].scores[1].is_nan() && last.replicates.is_empty());
    }

    #[test]
    fn of_many_doses_some_are_drawn_and_it_is_said() {
        let found = picture(&scored(&[2, 2, 30], |_| true), Vec::new());
        assert_eq!(found.panels.len(), MOST_PANELS);
        assert_eq!((names(&found)[0], names(&found)[15]), ("no C", "C 29 µM"));
        assert!(found.note.contains("Shown: 16 of 30 doses, evenly spread."), "{}", found.note);
        // Two further drugs give a grid of their doses.
        let found = picture(&scored(&[2, 2, 5, 8], |_| true), Vec::new());
        assert_eq!((found.panels.len(), names(&found)[0]), (16, "no C, no D"));
        assert_eq!(names(&found)[15], "C 4 µM, D 7 µM");
        assert!(found.note.contains("at the doses of C and D above it."), "{}", found.note);
        assert!(found.note.contains("Shown: 16 of 40 combinations of doses"), "{}", found.note);
        // Fewer maps are shown if they are large.
        let found = picture(&scored(&[80, 80, 6], |cell| cell[0] < 2), Vec::new());
        assert_eq!(names(&found), ["no C", "C 3 µM", "C 5 µM"]);
    }

    #[test]
    fn maps_without_a_reading_are_left_out_and_it_is_said() {
        // Doses of the further drugs rise together, as along a ray: each drug has 19 doses alone, both have 19 together, and one map has
        // neither drug.
        let found = picture(&scored(&[2, 2, 20, 20], |cell| cell[2] == cell[3]), Vec::new());
        let shown = names(&found);
        assert_eq!((shown.len(), shown[0], shown[9]), (10, "no C, no D", "C 19 µM, D 19 µM"));
        assert!(found.note.contains("Shown: 10 of 58 combinations of doses"), "{}", found.note);
        assert!(found.note.ends_with("Left out, without a reading: 342 maps."), "{}", found.note);
        // Without a measured grid of doses, the maps are spread over the measured doses.
        let found = picture(&scored(&[2, 2, 20, 20], |cell| cell[3] == (7 * cell[2] + 3) % 20), Vec::new());
        assert_eq!(found.panels.len(), 16);
        assert!(found.panels.iter().all(|panel| panel.matrix.response.iter().any(|value| value.is_finite())));
        let found = picture(&scored(&[2, 2, 3, 3], |cell| cell[2] == cell[3]), Vec::new());
        assert_eq!(names(&found).len(), 7);
        assert!(!found.note.contains("Shown") && found.note.contains("2 maps"), "{}", found.note);
    }
}
