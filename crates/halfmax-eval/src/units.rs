//! The entities that a split keeps together, as they occur in the responses.

use halfmax_core::{Category, Error, Result, Screen};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// The entities that a split keeps together, as they occur in the responses.
pub struct Units {
    /// For each unit, one of its responses.
    pub(crate) example: Vec<u32>,
    /// For each response, its unit; `None` if it belongs to no unit.
    pub(crate) of_response: Vec<Option<u32>>,
}

impl Units {
    /// Numbers the keys in ascending order, independent of the order of the responses. `keys` yields the key of each response.
    pub fn numbered<K: Ord>(keys: impl Iterator<Item = Option<K>>) -> Self {
        let keys: Vec<Option<K>> = keys.collect();
        let mut order: Vec<u32> = (0..keys.len() as u32).filter(|at| keys[*at as usize].is_some()).collect();
        let key = |at: u32| &keys[at as usize];
        order.sort_by(|a, b| key(*a).cmp(key(*b)));
        let mut of_response = vec![None; keys.len()];
        let mut example = Vec::new();
        for same in order.chunk_by(|a, b| key(*a) == key(*b)) {
            same.iter().for_each(|at| of_response[*at as usize] = Some(example.len() as u32));
            example.push(same[0]);
        }
        Self { example, of_response }
    }

    /// The drug, or the combination, of each response.
    pub fn of_drugs(screen: &Screen) -> Self {
        let all = 0..screen.responses.len();
        match members(screen) {
            Some(members) => Self::numbered(all.map(|at| Some(members(at)))),
            None => Self::numbered(all.map(|at| Some(screen.members(at)))),
        }
    }

    /// The number of units.
    pub fn count(&self) -> usize {
        self.example.len()
    }

    /// For each unit, its number of cell lines.
    pub fn sizes(&self, screen: &Screen) -> Vec<usize> {
        let mut counted = vec![false; screen.table(0).len()];
        let mut sizes = vec![0; self.count()];
        for (unit, cell) in self.of_response.iter().zip(screen.responses.side(0)) {
            if let Some(unit) = unit
                && !std::mem::replace(&mut counted[*cell as usize], true)
            {
                sizes[*unit as usize] += 1;
            }
        }
        sizes
    }
}

/// The result of [`Screen::members`] without a list for each response; `None` for a screen of more than three sides.
pub(crate) fn members(screen: &Screen) -> Option<impl Fn(usize) -> [u32; 2]> {
    let (responses, sides) = (&screen.responses, screen.sides.len());
    let alike = screen.is_of_combinations();
    (sides <= 3).then_some(move |at: usize| {
        let second = if sides == 3 { responses.side(2)[at] } else { 0 };
        let mut members = [responses.side(1)[at], second];
        if alike {
            members.sort_unstable();
        }
        members
    })
}

/// All sides except the cell lines: together they are "the drug" of a response, single or combined.
pub(crate) struct DrugSides<'a> {
    screen: &'a Screen,
    sides: Vec<usize>,
}

impl<'a> DrugSides<'a> {
    pub(crate) fn of(screen: &'a Screen) -> Self {
        let sides: Vec<usize> = (1..screen.sides.len()).collect();
        Self { screen, sides }
    }

    /// The name of a drug, or of a combination, by its [`Screen::members`]: "A + B".
    pub(crate) fn name(&self, key: &[u32]) -> String {
        let id = |(side, drug): (&usize, &u32)| self.screen.table(*side).ids()[*drug as usize].as_str();
        self.sides.iter().zip(key).map(id).collect::<Vec<_>>().join(" + ")
    }

    pub(crate) fn kind(&self) -> String {
        if self.sides.len() == 1 {
            self.screen.table(1).entity_kind().into()
        } else {
            "drug combination".into()
        }
    }
}

/// The word for the drug of a response, in the singular: "drug", "drug combination".
pub(crate) fn drug_kind(screen: &Screen) -> String {
    DrugSides::of(screen).kind()
}

/// The cell line of a response, in quotation marks.
pub(crate) fn cell_name(screen: &Screen, response: usize) -> String {
    format!("{:?}", screen.table(0).ids()[screen.responses.side(0)[response] as usize])
}

/// The drug or combination of a response, in quotation marks.
pub(crate) fn drug_name(screen: &Screen, response: usize) -> String {
    format!("{:?}", DrugSides::of(screen).name(&screen.members(response)))
}

/// The tissues of the cell lines.
pub(crate) fn tissue(screen: &Screen) -> Result<&Category> {
    let cells = screen.table(0);
    let known = cells.group("tissue").filter(|group| group.codes.iter().any(Option::is_some));
    known.ok_or_else(|| {
        Error::data(format!(
            "split lto needs the tissue of each {}, but tissues are unknown",
            cells.entity_kind()
        ))
        .with_help("add a file with the tissue of each cell line, or use lco")
    })
}

/// Deals shuffled units into folds like cards.
pub(crate) fn dealt(units: usize, folds: usize, random: &mut ChaCha8Rng) -> Vec<u16> {
    let mut order: Vec<usize> = (0..units).collect();
    order.shuffle(random);
    let mut of_unit = vec![0; units];
    for (unit, fold) in order.into_iter().zip((0..folds as u16).cycle()) {
        of_unit[unit] = fold;
    }
    of_unit
}

/// The largest unit first, each into the fold with the smallest total so far; ties at random.
pub(crate) fn balanced(sizes: &[usize], folds: usize, random: &mut ChaCha8Rng) -> Vec<u16> {
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.shuffle(random);
    order.sort_by_key(|unit| std::cmp::Reverse(sizes[*unit]));
    let mut held: Vec<(usize, u16)> = (0..folds as u16).map(|fold| (0, fold)).collect();
    held.shuffle(random);
    let mut of_unit = vec![0; sizes.len()];
    for unit in order {
        if let Some(emptiest) = held.iter_mut().min_by_key(|(size, _)| *size) {
            of_unit[unit] = emptiest.1;
            emptiest.0 += sizes[unit];
        }
    }
    of_unit
}
