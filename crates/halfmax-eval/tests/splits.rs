//! Nothing crosses a split.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use halfmax_core::{Category, EntityTable, Responses, Screen, Side, ValidationGroup};
use halfmax_eval::{Folds, Split, SplitKind, Validation};
use proptest::prelude::*;

const CELLS: usize = 24;
const DRUGS: usize = 9;
const TISSUES: [&str; 6] = ["lung", "skin", "blood", "bone", "brain", "breast"];

fn cells() -> EntityTable {
    let labels: Vec<Option<&str>> =
        (0..CELLS).map(|cell| (cell != 5).then(|| TISSUES[cell * cell % 11 % 6])).collect();
    let table = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line").unwrap();
    table.with_group("tissue", Category::from_labels(&labels).unwrap()).unwrap()
}

fn drugs() -> EntityTable {
    EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap()
}

fn screen(pairs: &[(u32, u32)]) -> Screen {
    let entities = vec![pairs.iter().map(|pair| pair.0).collect(), pairs.iter().map(|pair| pair.1).collect()];
    let responses = Responses::new(entities, vec![0.5; pairs.len()], None).unwrap();
    Screen::new("LN_IC50", vec![cells(), drugs()], vec![Side::cell_line(0), Side::drug(1)], responses)
        .unwrap()
}

fn combinations(tuples: &[(u32, u32, u32)]) -> Screen {
    let side = |of: fn(&(u32, u32, u32)) -> u32| tuples.iter().map(of).collect();
    let entities = vec![side(|t| t.0), side(|t| t.1), side(|t| t.2)];
    let responses = Responses::new(entities, vec![0.5; tuples.len()], None).unwrap();
    let sides = vec![Side::cell_line(0), Side::drug(1), Side { name: "drug_b".into(), table: 1 }];
    Screen::new("synergy", vec![cells(), drugs()], sides, responses).unwrap()
}

/// Every pair once, plus repeats.
fn pairs() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let all: Vec<(u32, u32)> =
        (0..CELLS as u32).flat_map(|c| (0..DRUGS as u32).map(move |d| (c, d))).collect();
    prop::collection::vec((0..CELLS as u32, 0..DRUGS as u32), 0..80)
        .prop_map(move |more| all.iter().copied().chain(more).collect::<Vec<_>>())
        .prop_shuffle()
}

/// Asserts that the test sets are disjoint and complete, no unit crosses, and the units are balanced to
/// within `slack`.
fn sound<K: Ord>(folds: &Folds, unit: impl Fn(usize) -> Option<K>, slack: usize) {
    let mut of_unit: BTreeMap<K, usize> = BTreeMap::new();
    let mut tested = BTreeSet::new();
    for fold in 0..folds.count() {
        let (train, test) = folds.train_test(&[fold]);
        assert!(!train.is_empty() && !test.is_empty());
        let known: BTreeSet<K> = train.iter().filter_map(|at| unit(*at)).collect();
        for at in &test {
            let unit = unit(*at).unwrap();
            assert!(!known.contains(&unit));
            of_unit.insert(unit, fold);
            assert!(tested.insert(*at));
        }
        assert_eq!(train.len() + test.len() + folds.left_out(), folds.of_response().len());
    }
    assert_eq!(tested.len() + folds.left_out(), folds.of_response().len());
    let sizes: Vec<usize> =
        (0..folds.count()).map(|fold| of_unit.values().filter(|of| **of == fold).count()).collect();
    assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= slack, "{sizes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_entity_crosses(pairs in pairs(), seed in any::<u64>(), count in 2usize..6) {
        let screen = screen(&pairs);
        for kind in [SplitKind::LPO, SplitKind::LCO, SplitKind::LTO, SplitKind::LDO] {
            let folds = Folds::draw(&screen, kind, count, seed).unwrap();
            folds.check_no_leak(&screen).unwrap();
            prop_assert_eq!(&folds, &Folds::draw(&screen, kind, count, seed).unwrap());
            let tissue = |at: usize| screen.table(0).group("tissue").unwrap().codes[pairs[at].0 as usize];
            match kind.name() {
                "lpo" => sound(&folds, |at| Some(pairs[at]), 1),
                "lco" => sound(&folds, |at| Some(pairs[at].0), 1),
                "ldo" => sound(&folds, |at| Some(pairs[at].1), 1),
                _ => sound(&folds, tissue, TISSUES.len()),
            }
            let without_tissue = pairs.iter().filter(|pair| pair.0 == 5).count();
            prop_assert_eq!(folds.left_out(), if kind == SplitKind::LTO { without_tissue } else { 0 });
        }
    }

    #[test]
    fn no_combination_crosses(
        tuples in prop::collection::vec((0..CELLS as u32, 0..DRUGS as u32, 0..DRUGS as u32), 150..200),
        seed in any::<u64>(),
    ) {
        let screen = combinations(&tuples);
        let pair = |at: usize| (tuples[at].1.min(tuples[at].2), tuples[at].1.max(tuples[at].2));
        for kind in [SplitKind::LPO, SplitKind::LEAVE_COMBINATION, SplitKind::LEAVE_CELL] {
            let folds = Folds::draw(&screen, kind, 3, seed).unwrap();
            folds.check_no_leak(&screen).unwrap();
            match kind.name() {
                "lpo" => sound(&folds, |at| Some((tuples[at].0, pair(at))), 1),
                "leave_cell" => sound(&folds, |at| Some(tuples[at].0), 1),
                _ => sound(&folds, |at| Some(pair(at)), 1),
            }
        }
    }

    #[test]
    fn a_moved_response_is_found_out(pairs in pairs(), at in any::<prop::sample::Index>()) {
        let screen = screen(&pairs);
        for kind in [SplitKind::LCO, SplitKind::LDO, SplitKind::LTO] {
            let folds = Folds::draw(&screen, kind, 3, 1).unwrap();
            let mut moved: Vec<Option<usize>> =
                folds.of_response().iter().map(|fold| fold.map(usize::from)).collect();
            let at = at.index(moved.len());
            let Some(fold) = moved[at] else { continue };
            moved[at] = Some((fold + 1) % 3);
            let moved = Folds::from_assignment(kind, moved).unwrap();
            let error = moved.check_no_leak(&screen).unwrap_err().to_string();
            let name = match kind.name() {
                "ldo" => format!("\"drug {}\"", pairs[at].1),
                _ => format!("\"cell {}\"", pairs[at].0),
            };
            prop_assert!(error.contains(&name), "{}", error);
        }
    }
}

fn all_pairs() -> Vec<(u32, u32)> {
    (0..CELLS as u32).flat_map(|cell| (0..DRUGS as u32).map(move |drug| (cell, drug))).collect()
}

#[test]
fn seeds_matter_and_response_order_does_not() {
    let pairs = all_pairs();
    let folds = Folds::draw(&screen(&pairs), SplitKind::LPO, 5, 1).unwrap();
    assert_ne!(folds, Folds::draw(&screen(&pairs), SplitKind::LPO, 5, 2).unwrap());
    let reversed: Vec<_> = pairs.into_iter().rev().collect();
    let again = Folds::draw(&screen(&reversed), SplitKind::LPO, 5, 1).unwrap();
    assert!(folds.of_response().iter().eq(again.of_response().iter().rev()));
}

#[test]
fn a_tissue_of_a_file_may_not_cross_either() {
    let screen = screen(&all_pairs());
    let by_cell = all_pairs().iter().map(|pair| Some(pair.0 as usize % 2)).collect();
    let error = Folds::from_assignment(SplitKind::LTO, by_cell).unwrap().check_no_leak(&screen).unwrap_err();
    assert!(error.to_string().starts_with("tissue "), "{error}");
}

#[test]
fn impossible_splits_are_refused() {
    let single = screen(&all_pairs());
    let message = |kind, folds| Folds::draw(&single, kind, folds, 1).unwrap_err().to_string();
    for kind in [SplitKind::LEAVE_COMBINATION, SplitKind::LEAVE_DRUG, SplitKind::LEAVE_CELL] {
        assert!(message(kind, 3).contains("single drugs"));
    }
    assert!(message(SplitKind::LDO, 10).contains("at least 10 drugs, but the responses have 9"));
    assert!(message(SplitKind::LDO, 1).contains("folds = 1"));
    let pair = combinations(&[(0, 0, 1), (1, 2, 3)]);
    assert!(Folds::draw(&pair, SplitKind::LDO, 2, 1).unwrap_err().to_string().contains("combination"));
    let few = Folds::draw(&pair, SplitKind::LEAVE_DRUG, 5, 1).unwrap_err().to_string();
    assert!(few.contains("at least 5 drugs, but the responses have 4"));
    let bare = EntityTable::new(single.table(0).ids().to_vec(), "cell line").unwrap();
    let bare = Screen { tables: vec![bare, drugs()], ..single.clone() };
    assert!(Folds::draw(&bare, SplitKind::LTO, 2, 1).unwrap_err().to_string().contains("tissue"));
    for wrong in
        [vec![None, None], vec![Some(0), Some(0)], vec![Some(0), Some(2)], vec![Some(0), Some(70_000)]]
    {
        assert!(Folds::from_assignment(SplitKind::LCO, wrong).is_err());
    }
    let short = Folds::from_assignment(SplitKind::LCO, vec![Some(0), Some(1)]).unwrap();
    assert!(short.check_no_leak(&single).is_err());
}

#[test]
fn validation_asks_the_question_of_the_split() {
    let screen = screen(&all_pairs());
    let of = |kind| Folds::draw(&screen, kind, 2, 1).unwrap().validation(&screen).unwrap();
    assert_eq!(of(SplitKind::LPO), Validation::Response);
    assert_eq!(of(SplitKind::LCO), Validation::Entity(0));
    assert_eq!(of(SplitKind::LDO), Validation::Entity(1));
    let by_tissue = of(SplitKind::LTO);
    let ValidationGroup::Groups(0, groups) = by_tissue.group() else { panic!("{by_tissue:?}") };
    let codes = &screen.table(0).group("tissue").unwrap().codes;
    for (group, code) in groups.iter().zip(codes) {
        assert!(code.map_or(*group >= 6, |code| usize::from(code) == *group));
    }
}

#[test]
fn a_configuration_is_checked() {
    let split: Split = serde_json::from_str(r#"{"kind": "lco"}"#).unwrap();
    assert_eq!(split, Split::new(SplitKind::LCO));
    assert_eq!((split.folds, split.seed), (5, 2026));
    assert!(serde_json::from_str::<Split>(r#"{"kind": "lco", "fold": 3}"#).is_err());
    let with = |change: fn(&mut Split)| {
        let mut split = Split::new(SplitKind::LCO);
        change(&mut split);
        split.check()
    };
    assert!(with(|split| split.folds = 1).is_err());
    assert!(with(|split| split.folds = 101).is_err());
    assert!(with(|split| split.only_folds = Some(vec![])).is_err());
    assert!(with(|split| split.only_folds = Some(vec![5])).unwrap_err().to_string().contains("0 to 4"));
    assert!(with(|split| split.only_folds = Some(vec![1, 1])).is_err());
    assert!(with(|split| split.only_folds = Some(vec![4, 0])).is_ok());
    assert!(with(|split| (split.file, split.column) = (Some("a".into()), Some("fold".into()))).is_err());
}

#[test]
fn tissues_are_spread_over_the_folds_by_their_cell_lines() {
    let screen = screen(&all_pairs());
    let codes = &screen.table(0).group("tissue").unwrap().codes;
    let mut sizes: BTreeMap<u16, usize> = BTreeMap::new();
    codes.iter().flatten().for_each(|code| *sizes.entry(*code).or_default() += 1);
    let mut drawn = BTreeSet::new();
    for seed in 0..20 {
        let folds = Folds::draw(&screen, SplitKind::LTO, 2, seed).unwrap();
        let held = |fold| folds.of_response().iter().filter(|of| **of == Some(fold)).count() / DRUGS;
        assert!(held(0).abs_diff(held(1)) <= *sizes.values().min().unwrap(), "{} {}", held(0), held(1));
        drawn.insert(folds.of_response().to_vec());
    }
    assert!(drawn.len() > 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every test combination has a drug that no training combination has, whichever folds are left out.
    #[test]
    fn drugs_of_combinations_are_left_out(
        tuples in prop::collection::vec((0..CELLS as u32, 0..DRUGS as u32, 0..DRUGS as u32), 60..200),
        seed in any::<u64>(),
        count in 2usize..5,
    ) {
        let screen = combinations(&tuples);
        let Ok(folds) = Folds::draw(&screen, SplitKind::LEAVE_DRUG, count, seed) else { return Ok(()) };
        folds.check_no_leak(&screen).unwrap();
        let drugs = |at: usize| [screen.responses.side(1)[at], screen.responses.side(2)[at]];
        let mut tested = BTreeSet::new();
        for fold in 0..count {
            let (train, test) = folds.train_test(&[fold]);
            let known: BTreeSet<u32> = train.iter().flat_map(|at| drugs(*at)).collect();
            for at in test {
                prop_assert!(drugs(at).iter().any(|drug| !known.contains(drug)));
                prop_assert!(tested.insert(at));
            }
            // What is trained on without two folds is trained on without either.
            let (both, _) = folds.train_test(&[fold, (fold + 1) % count]);
            let train: BTreeSet<usize> = train.into_iter().collect();
            prop_assert!(both.iter().all(|at| train.contains(at)));
        }
        prop_assert_eq!(tested.len(), tuples.len());
        // The order of the drugs does not matter.
        let swapped: Vec<_> = tuples.iter().map(|(cell, a, b)| (*cell, *b, *a)).collect();
        prop_assert_eq!(&folds, &Folds::draw(&combinations(&swapped), SplitKind::LEAVE_DRUG, count, seed).unwrap());
    }
}

#[test]
fn entities_in_several_folds_are_settled() {
    let screen = combinations(&[(0, 0, 1), (1, 1, 0), (2, 0, 1), (0, 2, 3), (1, 2, 3)]);
    let of = vec![Some(0), Some(1), Some(1), Some(0), Some(0)];
    let folds = Folds::from_assignment(SplitKind::LEAVE_COMBINATION, of).unwrap();
    assert!(folds.check_no_leak(&screen).is_err());
    let (settled, moved) = folds.settled(&screen).unwrap();
    settled.check_no_leak(&screen).unwrap();
    assert_eq!((settled.of_response(), moved), (&[Some(1), Some(1), Some(1), Some(0), Some(0)][..], 1));
}

#[test]
fn drugs_that_are_trained_on_are_told() {
    let screen = combinations(&[(0, 0, 1), (0, 1, 2), (0, 0, 2), (0, 3, 4)]);
    let all_seen =
        Folds::from_assignment(SplitKind::LEAVE_DRUG, vec![Some(0), Some(1), Some(1), Some(1)]).unwrap();
    let error = all_seen.check_no_leak(&screen).unwrap_err().to_string();
    assert!(error.contains("drug 0 + drug 1"), "{error}");
    let of_drugs = Folds::of_drugs(&screen, vec![vec![Some(0), Some(1)]; 4]).unwrap();
    assert_eq!(of_drugs.train_test(&[0]).0, Vec::<usize>::new());
}
