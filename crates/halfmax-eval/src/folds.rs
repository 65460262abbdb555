//! The folds of a split.

use halfmax_core::{Error, Result, Screen, Seed, ValidationGroup, check};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::SplitKind;
use crate::units::{DrugSides, Units, dealt};

/// Which fold each response of a screen is tested in.
///
/// All responses of an entity (cell line, drug, tissue or pair, by the kind of the split) are in the same fold. Training on
/// the other folds therefore never sees the entity; [`Folds::check_no_leak`] verifies this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folds {
    kind: SplitKind,
    of_response: Vec<Option<u16>>,
    /// The second fold that must not train on a response, if its drugs are in two folds. Empty if entities of the kind do not overlap.
    also: Vec<Option<u16>>,
    count: usize,
}

impl Folds {
    /// Draws folds at random, balanced in the number of entities.
    ///
    /// - lpo: distinct pairs of cell line and drug; all repeats of a pair stay together
    /// - lco, leave_cell: cell lines; ldo: drugs; leave_combination: sets of drugs
    /// - leave_drug: drugs, each with all its combinations. If the drugs of a combination are in two folds, the
    ///   combination is tested in one of them (always the same) and trained on in neither.
    /// - lto: tissues, the largest (in cell lines) first, each into the fold with the fewest cell lines, ties at random.
    ///   Responses of cell lines without a tissue are in no fold, see [`Folds::left_out`].
    ///
    /// The same screen and seed give the same folds (ChaCha8, Fisher–Yates).
    ///
    /// # Errors
    /// If `folds` is not 2 to 100, if the kind does not suit the screen, if tissues are needed but unknown, or if there
    /// are fewer entities than folds.
    pub fn draw(screen: &Screen, kind: SplitKind, folds: usize, seed: u64) -> Result<Self> {
        check::within("split.folds", folds, 2..=100)?;
        if kind.grouping().overlaps() {
            return Self::draw_drugs(screen, folds, seed);
        }
        let units = units_of(screen, kind)?;
        enough(units.count(), folds, kind, &kind.grouping().unit(screen))?;
        let mut random = ChaCha8Rng::seed_from_u64(Seed::new(seed).value());
        let of_unit = kind.grouping().deal(&units, screen, folds, &mut random);
        let of = |unit: &Option<u32>| unit.map(|unit| of_unit[unit as usize]);
        let of_response = units.of_response.iter().map(of).collect();
        Ok(Self { kind, of_response, also: Vec::new(), count: folds })
    }

    fn draw_drugs(screen: &Screen, folds: usize, seed: u64) -> Result<Self> {
        let kind = SplitKind::LEAVE_DRUG;
        kind.check(screen)?;
        let drugs = screen.all().groups(ValidationGroup::Member);
        enough(drugs.count(), folds, kind, screen.table(1).entity_kind())?;
        let of_drug = dealt(drugs.count(), folds, &mut ChaCha8Rng::seed_from_u64(Seed::new(seed).value()));
        let of =
            |at: usize| drugs.of_response(at).iter().map(|drug| Some(usize::from(of_drug[*drug]))).collect();
        Self::of_drugs(screen, (0..screen.responses.len()).map(of).collect())
    }

    /// The folds of a screen of combinations that leaves drugs out, from the folds of the drugs of each response. A
    /// response is left out if one of its drugs is in no fold.
    ///
    /// # Errors
    /// As [`Folds::from_assignment`].
    pub fn of_drugs(screen: &Screen, of_members: Vec<Vec<Option<usize>>>) -> Result<Self> {
        // Which of two folds tests a combination depends only on its drugs.
        let sum =
            |at: usize| (1..screen.sides.len()).map(|side| screen.responses.side(side)[at]).sum::<u32>();
        let of = |(at, members): (usize, &Vec<Option<usize>>)| {
            let mut folds = members.iter().copied().collect::<Option<Vec<usize>>>().unwrap_or_default();
            folds.sort_unstable();
            folds.dedup();
            if sum(at) % 2 == 1 {
                folds.reverse();
            }
            [folds.first().copied(), folds.get(1).copied()]
        };
        let both: Vec<[Option<usize>; 2]> = of_members.iter().enumerate().map(of).collect();
        let mut folds =
            Self::from_assignment(SplitKind::LEAVE_DRUG, both.iter().map(|[first, _]| *first).collect())?;
        // The number fits, because each fold tests some response.
        folds.also = both.iter().map(|[_, second]| second.map(|fold| fold as u16)).collect();
        Ok(folds)
    }

    /// Folds from a file or a column: for each response its fold, counted from 0, or `None` to leave it out.
    ///
    /// The number of folds is the largest fold + 1. Call [`Folds::check_no_leak`] on the result.
    ///
    /// # Errors
    /// If there are fewer than two folds, if a fold number is missing in between, or if one is above 65,535.
    pub fn from_assignment(kind: SplitKind, of_response: Vec<Option<usize>>) -> Result<Self> {
        let narrow = |fold: usize| {
            u16::try_from(fold)
                .map_err(|_| Error::data(format!("fold {fold}: expected a number up to 65535")))
        };
        let of_response: Vec<Option<u16>> =
            of_response.into_iter().map(|fold| fold.map(narrow).transpose()).collect::<Result<_>>()?;
        let count = of_response.iter().flatten().max().map_or(0, |fold| usize::from(*fold) + 1);
        let mut sizes = vec![0usize; count];
        for fold in of_response.iter().flatten() {
            sizes[usize::from(*fold)] += 1;
        }
        if let Some(empty) = sizes.iter().position(|size| *size == 0) {
            return Err(Error::data(format!("fold {empty} of {count} has no responses")).with_help(
                "number the folds from 0 without gaps, and check the names against those of the responses",
            ));
        }
        if count < 2 {
            return Err(Error::data(format!("the responses are in {count} folds: expected at least 2"))
                .with_help("check that the names in the fold file match those of the responses"));
        }
        Ok(Self { kind, of_response, also: Vec::new(), count })
    }

    /// Puts every entity that is in several folds into the fold with most of its responses; on ties, the first. Also
    /// returns how many responses changed their fold.
    ///
    /// # Errors
    /// As [`Folds::check_no_leak`], except for an entity in two folds.
    pub fn settled(mut self, screen: &Screen) -> Result<(Self, usize)> {
        if self.kind.grouping().overlaps() {
            return Ok((self, 0));
        }
        let units = units_of(screen, self.kind)?;
        let mut counts = vec![vec![0usize; self.count]; units.count()];
        for (unit, fold) in units.of_response.iter().zip(&self.of_response) {
            if let (Some(unit), Some(fold)) = (unit, fold) {
                counts[*unit as usize][usize::from(*fold)] += 1;
            }
        }
        let most = |counts: &Vec<usize>| {
            let most = counts.iter().max().copied().unwrap_or(0);
            counts.iter().position(|count| *count == most).unwrap_or(0) as u16
        };
        let of_unit: Vec<u16> = counts.iter().map(most).collect();
        let mut moved = 0;
        for (unit, fold) in units.of_response.iter().zip(&mut self.of_response) {
            if let (Some(unit), Some(fold)) = (unit, fold) {
                moved += usize::from(*fold != of_unit[*unit as usize]);
                *fold = of_unit[*unit as usize];
            }
        }
        Ok((self, moved))
    }

    /// The kind of the split.
    pub fn kind(&self) -> SplitKind {
        self.kind
    }

    /// Number of folds.
    pub fn count(&self) -> usize {
        self.count
    }

    /// For each response, its fold, counted from 0. `None`: in no fold, neither trained on nor tested.
    pub fn of_response(&self) -> &[Option<u16>] {
        &self.of_response
    }

    /// Number of responses that are in no fold.
    pub fn left_out(&self) -> usize {
        self.of_response.iter().filter(|fold| fold.is_none()).count()
    }

    /// Positions of the responses to train on and to test on, each in ascending order, if these folds are left out.
    ///
    /// A fold that does not exist has an empty test part. If drugs of combinations are left out, a response that shares a
    /// drug with these folds but is tested in another fold is in neither part.
    pub fn train_test(&self, left_out: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let (mut train, mut test) = (Vec::new(), Vec::new());
        let out = |fold: &u16| left_out.contains(&usize::from(*fold));
        for (at, of) in self.of_response.iter().enumerate() {
            match of {
                Some(of) if out(of) => test.push(at),
                Some(_) if self.also.get(at).is_some_and(|also| also.as_ref().is_some_and(out)) => {}
                Some(_) => train.push(at),
                None => {}
            }
        }
        (train, test)
    }

    /// Checks that no entity that the split keeps together is in two folds.
    ///
    /// # Errors
    /// If an entity is in two folds: the error names the first such entity and its folds. If the number of responses
    /// differs, if the kind does not suit the screen, or if a leave-tissue-out split has no tissues.
    pub fn check_no_leak(&self, screen: &Screen) -> Result<()> {
        if self.of_response.len() != screen.responses.len() {
            return Err(Error::data(format!(
                "the folds have {} responses, but the screen has {}",
                self.of_response.len(),
                screen.responses.len()
            )));
        }
        if self.kind.grouping().overlaps() {
            return self.check_drugs(screen);
        }
        if let Some(also) = self.kind.grouping().also_whole() {
            self.check_units(screen, also)?;
        }
        self.check_units(screen, self.kind)
    }

    /// Checks that every test combination has a drug that is in no training combination.
    fn check_drugs(&self, screen: &Screen) -> Result<()> {
        self.kind.check(screen)?;
        let drugs = screen.all().groups(ValidationGroup::Member);
        for fold in 0..self.count {
            let (train, test) = self.train_test(&[fold]);
            let mut seen = vec![false; drugs.count()];
            train.iter().flat_map(|at| drugs.of_response(*at)).for_each(|drug| seen[*drug] = true);
            if let Some(at) = test.iter().find(|at| drugs.of_response(**at).iter().all(|drug| seen[*drug])) {
                let sides = DrugSides::of(screen);
                return Err(Error::data(format!(
                    "{:?} is tested in fold {fold} of a {} split, but each of its drugs is also trained on",
                    sides.name(&screen.members(*at)),
                    self.kind
                ))
                .with_help("assign every drug to one fold, in a file with the columns drug and fold"));
            }
        }
        Ok(())
    }

    fn check_units(&self, screen: &Screen, kind: SplitKind) -> Result<()> {
        let units = units_of(screen, kind)?;
        let mut of_unit: Vec<Option<u16>> = vec![None; units.count()];
        for (unit, fold) in units.of_response.iter().zip(&self.of_response) {
            let (Some(unit), Some(fold)) = (unit, fold) else { continue };
            let first = of_unit[*unit as usize].get_or_insert(*fold);
            if first != fold {
                return Err(Error::data(format!(
                    "{} {} is in folds {first} and {fold} of a {} split: it would be trained on and tested",
                    kind.grouping().unit(screen),
                    kind.grouping().unit_name(screen, units.example[*unit as usize] as usize),
                    self.kind
                ))
                .with_help("assign all its responses to one fold"));
            }
        }
        Ok(())
    }

    /// The groups that stay together when a model sets responses aside for validation, so that validation asks the same
    /// question as the split.
    ///
    /// # Errors
    /// If a leave-tissue-out split has no tissues.
    pub fn validation(&self, screen: &Screen) -> Result<Validation> {
        self.kind.grouping().validation(screen)
    }
}

/// An owned [`ValidationGroup`]. Each cell line without a tissue is a separate group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Validation {
    /// See [`ValidationGroup::Response`].
    Response,
    /// See [`ValidationGroup::Entity`].
    Entity(usize),
    /// See [`ValidationGroup::Groups`].
    Groups(usize, Vec<usize>),
    /// See [`ValidationGroup::Combination`].
    Combination,
    /// See [`ValidationGroup::Member`].
    Member,
}

impl Validation {
    /// The group for a [`halfmax_core::FitContext`].
    pub fn group(&self) -> ValidationGroup<'_> {
        match self {
            Self::Response => ValidationGroup::Response,
            Self::Entity(side) => ValidationGroup::Entity(*side),
            Self::Groups(side, groups) => ValidationGroup::Groups(*side, groups),
            Self::Combination => ValidationGroup::Combination,
            Self::Member => ValidationGroup::Member,
        }
    }
}

/// The units of a kind of split, which must suit the screen.
fn units_of(screen: &Screen, kind: SplitKind) -> Result<Units> {
    kind.check(screen)?;
    kind.grouping().units(screen)
}

fn enough(units: usize, folds: usize, kind: SplitKind, unit: &str) -> Result<()> {
    if units >= folds {
        return Ok(());
    }
    Err(Error::data(format!(
        "split {kind} into {folds} folds needs at least {folds} {unit}s, but the responses have {units}"
    ))
    .with_help("set fewer folds"))
}
