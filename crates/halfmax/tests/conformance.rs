//! What every model family must do, whatever it is: one suite, every family.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod trials;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use halfmax::{FamilyKind, fitted as load};
use halfmax_boost::{BoostParams, Trees};
use halfmax_core::{
    AnyModel, BitColumns, Category, EntityTable, FeatureBlock, FeatureValues, FitContext, FittedModel, Query,
    Responses, Result, Screen, Seed, Side, Silent, StoredModel, Tensor, Tuples, ValidationGroup,
};
use halfmax_eval::Tuned;
use ndarray::Array2;
use trials::{Tried, trials};

const CELLS: usize = 40;
const DRUGS: usize = 9;

/// A search for the parameters of another model, and the trials of every family.
fn families() -> Vec<Tried> {
    let changed = move |params: &std::collections::BTreeMap<String, serde_json::Value>| {
        let rounds =
            params.get("rounds").and_then(serde_json::Value::as_u64).map_or(40, |rounds| rounds as usize);
        let params =
            BoostParams { rounds, trees: Trees::Box, min_leaf_weight: 2.0, ..BoostParams::default() };
        Ok(Arc::new(params.check()?) as Arc<dyn AnyModel>)
    };
    let search = r#"{ "trials": 3, "folds": 2, "space": { "rounds": { "low": 20, "high": 60 } } }"#;
    let search = serde_json::from_str(search).unwrap();
    let tuned = Tuned::new("boost", search, Arc::new(changed), Arc::default()).unwrap();
    let tuned = Tried { name: "boost, searched".into(), model: Arc::new(tuned), kind: FamilyKind::Learnt };
    let all: Vec<Tried> = std::iter::once(tuned).chain(trials(|trial| trial.single_drugs)).collect();
    for family in halfmax::families() {
        assert!(all.iter().any(|one| one.name == family), "family {family} has no trial");
    }
    all
}

fn noise(a: usize, b: usize) -> f32 {
    let seed = Seed::new(7).derive((a * 1000 + b) as u64);
    (seed.value() >> 40) as f32 / (1u64 << 24) as f32 - 0.5
}

fn cells(ids: std::ops::Range<usize>) -> EntityTable {
    let rows = ids.len();
    let first = ids.start;
    let expression = Array2::from_shape_fn((rows, 6), |(row, gene)| noise(first + row, gene));
    let mutations = BitColumns::from_fn(rows, 3, |row, gene| match (first + row + gene) % 7 {
        0 => None,
        rest => Some(rest == 1),
    });
    let tissue = Category::from_labels(
        &ids.clone()
            .map(|cell| (cell % 9 != 0).then(|| ["lung", "skin", "blood"][cell % 3]))
            .collect::<Vec<_>>(),
    )
    .unwrap();
    EntityTable::new(ids.map(|cell| format!("cell {cell}")), "cell line")
        .unwrap()
        .with_group("tissue", tissue)
        .unwrap()
        .with_block(FeatureBlock::new("expression", names(6), FeatureValues::real(expression)).unwrap())
        .unwrap()
        .with_block(FeatureBlock::new("mutation", names(3), FeatureValues::Binary(mutations)).unwrap())
        .unwrap()
}

fn drugs(ids: std::ops::Range<usize>) -> EntityTable {
    let first = ids.start;
    let bits = BitColumns::from_fn(ids.len(), 8, |row, bit| Some(noise(first + row, 50 + bit) > 0.0));
    EntityTable::new(ids.map(|drug| format!("drug {drug}")), "drug")
        .unwrap()
        .with_block(FeatureBlock::new("fingerprint", names(8), FeatureValues::Binary(bits)).unwrap())
        .unwrap()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("feature {at}")).collect()
}

fn screen_of(cell_count: usize, drug_count: usize, keep: impl Fn(usize, usize) -> bool) -> Screen {
    let (cells, drugs) = (cells(0..cell_count), drugs(0..drug_count));
    let pairs: Vec<(usize, usize)> = (0..cell_count)
        .flat_map(|cell| (0..drug_count).map(move |drug| (cell, drug)))
        .filter(|(cell, drug)| keep(*cell, *drug))
        .collect();
    let value = |cell: usize, drug: usize| {
        drug as f32 + 2.0 * noise(cell, drug % 3) + noise(cell, 3) + 0.2 * noise(cell, 200 + drug)
    };
    let sides = vec![
        pairs.iter().map(|pair| pair.0 as u32).collect(),
        pairs.iter().map(|pair| pair.1 as u32).collect(),
    ];
    let values = pairs.iter().map(|(cell, drug)| value(*cell, *drug)).collect();
    let weights = pairs.iter().map(|(cell, drug)| 1.0 + ((cell + drug) % 2) as f32).collect();
    let responses = Responses::new(sides, values, Some(weights)).unwrap();
    Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

fn screen() -> Screen {
    screen_of(CELLS, DRUGS, |cell, drug| (cell * 5 + drug * 3) % 6 != 0)
}

fn fit(model: &dyn AnyModel, screen: &Screen, validation: ValidationGroup) -> Result<Box<dyn FittedModel>> {
    model.fit_any(&screen.all(), &FitContext::new(Seed::new(3), &Silent, validation))
}

fn questions() -> Vec<(&'static str, ValidationGroup<'static>)> {
    const GROUPS: [usize; CELLS] = {
        let mut groups = [0; CELLS];
        let mut cell = 0;
        while cell < CELLS {
            groups[cell] = cell % 4;
            cell += 1;
        }
        groups
    };
    vec![
        ("unseen pairs", ValidationGroup::Response),
        ("unseen cell lines", ValidationGroup::Entity(0)),
        ("unseen drugs", ValidationGroup::Entity(1)),
        ("unseen tissues", ValidationGroup::Groups(0, &GROUPS)),
    ]
}

fn each(check: impl Fn(&str, &dyn AnyModel, ValidationGroup)) {
    for Tried { name, model, .. } in families() {
        for (question, validation) in questions() {
            check(&format!("{name}, {question}"), &*model, validation);
        }
    }
}

/// Cell lines and drugs some of which were in training, some not.
fn strangers() -> (EntityTable, EntityTable) {
    (cells(CELLS - 5..CELLS + 5), drugs(DRUGS - 3..DRUGS + 3))
}

fn all(table: &EntityTable) -> Vec<u32> {
    (0..table.len() as u32).collect()
}

fn grid(fitted: &dyn FittedModel, cells: &EntityTable, drugs: &EntityTable) -> Vec<f32> {
    let sides = [all(cells), all(drugs)];
    let sides: Vec<&[u32]> = sides.iter().map(Vec::as_slice).collect();
    fitted.predict(&Query { tables: &[cells, drugs], tuples: Tuples::Grid(&sides) }).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn lists_grids_and_prepared_grids_agree_to_the_last_bit_and_score_strangers() {
    let screen = screen();
    let (cells, drugs) = strangers();
    each(|case, model, validation| {
        let fitted = fit(model, &screen, validation).unwrap();
        let expected = grid(&*fitted, &cells, &drugs);
        assert_eq!(expected.len(), cells.len() * drugs.len(), "{case}");
        assert!(expected.iter().all(|value| value.is_finite()), "{case}");
        let tables = [&cells, &drugs];
        // Backwards, with one pair twice.
        let mut order: Vec<usize> = (0..expected.len()).rev().collect();
        order.push(3);
        let row: Vec<u32> = order.iter().map(|at| (at / drugs.len()) as u32).collect();
        let column: Vec<u32> = order.iter().map(|at| (at % drugs.len()) as u32).collect();
        let listed =
            fitted.predict(&Query { tables: &tables, tuples: Tuples::Listed(&[&row, &column]) }).unwrap();
        let of: Vec<f32> = order.iter().map(|at| expected[*at]).collect();
        assert_eq!(bits(&listed), bits(&of), "{case}: listed");
        let one = fitted.predict(&Query { tables: &tables, tuples: Tuples::Listed(&[&[2], &[4]]) }).unwrap();
        assert_eq!(bits(&one), bits(&[expected[2 * drugs.len() + 4]]), "{case}: one pair");
        let columns = all(&drugs);
        let prepared = fitted.prepare(&tables, &columns).unwrap();
        let rows = [7, 1];
        let scores = prepared.scores(&rows).unwrap();
        let of: Vec<f32> = rows
            .iter()
            .flat_map(|row| &expected[*row as usize * drugs.len()..][..drugs.len()])
            .copied()
            .collect();
        assert_eq!(bits(&scores), bits(&of), "{case}: prepared");
    });
}

#[test]
fn a_model_that_was_stored_predicts_the_same_bits() {
    let screen = screen();
    let (cells, drugs) = strangers();
    each(|case, model, validation| {
        let fitted = fit(model, &screen, validation).unwrap();
        let parts = fitted.stored().unwrap();
        let text = parts.description.to_string();
        let stored =
            StoredModel { description: serde_json::from_str(&text).unwrap(), tensors: parts.tensors.clone() };
        let loaded = load(fitted.family(), &stored).unwrap();
        assert_eq!(bits(&grid(&*loaded, &cells, &drugs)), bits(&grid(&*fitted, &cells, &drugs)), "{case}");
        assert!(loaded.stored().unwrap() == parts, "{case}: other parts");
        for name in parts.tensors.keys() {
            let mut without = stored.clone();
            without.tensors.remove(name);
            assert!(load(fitted.family(), &without).is_err(), "{case}: without {name}");
        }
    });
}

/// Arrays in which a missing number is a feature, or a mean, that an entity lacks.
const WITH_GAPS: [&str; 4] = ["row_features", "column_features", "means_0", "means_1"];

#[test]
fn a_model_with_what_its_family_does_not_know_is_refused() {
    let screen = screen();
    each(|case, model, validation| {
        let fitted = fit(model, &screen, validation).unwrap();
        let parts = fitted.stored().unwrap();
        let refused = |parts: &StoredModel, what: &str| match load(fitted.family(), parts) {
            Ok(_) => panic!("{case}: {what} was taken"),
            Err(error) => error,
        };
        let mut more = parts.clone();
        more.tensors.insert("more".into(), Tensor::U8(vec![1]));
        let error = refused(&more, "another array");
        assert!(format!("{error}").contains("\"more\""), "{case}: {error}");
        let mut more = parts.clone();
        for path in places_of_objects(&more.description, "") {
            let at = more.description.pointer_mut(&path).and_then(serde_json::Value::as_object_mut).unwrap();
            at.insert("more".into(), 1.into());
            let error = refused(&more, &format!("another key in {path:?}"));
            let texts = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
            assert!(
                texts.into_iter().any(|error| error.to_string().contains("more")),
                "{case}, {path}: {error}"
            );
            let at = more.description.pointer_mut(&path).and_then(serde_json::Value::as_object_mut).unwrap();
            at.remove("more");
        }
        for (name, tensor) in &parts.tensors {
            let with_gaps = WITH_GAPS.contains(&name.rsplit('/').next().unwrap_or_default());
            for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut bad = tensor.clone();
                match &mut bad {
                    Tensor::F32(values) if !values.is_empty() => values[0] = wrong as f32,
                    Tensor::F64(values) if !values.is_empty() => values[0] = wrong,
                    _ => continue,
                }
                if with_gaps && wrong.is_nan() {
                    continue;
                }
                let mut parts = parts.clone();
                parts.tensors.insert(name.clone(), bad);
                refused(&parts, &format!("{wrong} in {name}"));
            }
        }
    });
}

/// JSON pointers to all objects of a description; of a list, to its first.
fn places_of_objects(value: &serde_json::Value, path: &str) -> Vec<String> {
    match value {
        serde_json::Value::Object(entries) => {
            let inner =
                entries.iter().flat_map(|(key, value)| places_of_objects(value, &format!("{path}/{key}")));
            std::iter::once(path.to_owned()).chain(inner).collect()
        }
        serde_json::Value::Array(values) => {
            values.first().map(|first| places_of_objects(first, &format!("{path}/0"))).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let screen = screen();
    let (cells, drugs) = strangers();
    each(|case, model, validation| {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bits(&grid(&*fit(model, &screen, validation).unwrap(), &cells, &drugs)))
        };
        let one = with(1);
        assert_eq!(one, with(2), "{case}");
        assert_eq!(one, with(8), "{case}");
    });
}

/// Attributions of predictions for all entities of a side with each partner: contributions, then the base.
fn attributed(
    fitted: &dyn FittedModel,
    tables: &[&EntityTable; 2],
    side: usize,
    entities: &[u32],
) -> Option<Vec<(Vec<f32>, Vec<f64>)>> {
    let attributor = fitted.as_attributable(side)?.attribute(tables, side, entities).unwrap();
    assert!(!attributor.method().is_empty());
    let of = |partner: u32| {
        let found = attributor.contributions(&[partner]).unwrap();
        assert_eq!(found.values.dim(), (attributor.space().len(), entities.len()));
        (found.values.iter().copied().collect(), found.base)
    };
    Some(all(tables[1 - side]).into_iter().map(of).collect())
}

/// The beginnings of the names of families that say what features of unseen entities contribute.
const SAYING: [&str; 6] = ["boost", "kernel", "stack", "elastic net", "pls", "neural"];

#[test]
fn contributions_and_base_make_the_prediction_whatever_else_is_asked_for() {
    let screen = screen();
    let (cells, drugs) = strangers();
    let tables = [&cells, &drugs];
    each(|case, model, validation| {
        let fitted = fit(model, &screen, validation).unwrap();
        let predicted = grid(&*fitted, &cells, &drugs);
        for side in 0..2 {
            let entities = all(tables[side]);
            let found = attributed(&*fitted, &tables, side, &entities);
            let held = match validation {
                ValidationGroup::Entity(held) | ValidationGroup::Groups(held, _) => held,
                _ => 0,
            };
            if side == held && SAYING.iter().any(|family| case.starts_with(family)) {
                assert!(found.is_some(), "{case}: side {side}");
            }
            for (partner, (values, base)) in found.iter().flatten().enumerate() {
                for (entity, base) in base.iter().enumerate() {
                    let own = values.iter().skip(entity).step_by(entities.len());
                    let sum = base + own.map(|value| f64::from(*value)).sum::<f64>();
                    let [cell, drug] = if side == 0 { [entity, partner] } else { [partner, entity] };
                    let expected = f64::from(predicted[cell * drugs.len() + drug]);
                    assert!((sum - expected).abs() < 1e-5, "{case}: {sum} for {expected}");
                }
            }
            // The same bits for fewer entities, and on more threads.
            let few = [entities[5], entities[1]];
            let pool = rayon::ThreadPoolBuilder::new().num_threads(8).build().unwrap();
            let part = pool.install(|| attributed(&*fitted, &tables, side, &few));
            assert_eq!(part.is_some(), found.is_some(), "{case}");
            for ((values, _), (part, _)) in found.iter().flatten().zip(part.iter().flatten()) {
                let expected: Vec<f32> =
                    values.chunks(entities.len()).flat_map(|row| [row[5], row[1]]).collect();
                assert_eq!(bits(part), bits(&expected), "{case}: side {side}");
            }
        }
    });
}

#[test]
fn a_stack_of_equal_weights_is_the_mean_of_its_members() {
    let screen = screen();
    let (cells, drugs) = strangers();
    let validation = ValidationGroup::Entity(0);
    let families = families();
    let of = |wanted: &str| {
        let Tried { model, .. } = families.iter().find(|one| one.name == wanted).unwrap();
        // Members of a stack have seeds of their own; these do not draw.
        grid(&*fit(&**model, &screen, validation).unwrap(), &cells, &drugs)
    };
    let (kernel, stack) = (of("kernel"), of("stack, equal weights"));
    let boost: Vec<f32> = stack.iter().zip(&kernel).map(|(stack, kernel)| 2.0 * stack - kernel).collect();
    let alone = of("boost");
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let product: f32 = boost.iter().zip(&alone).map(|(a, b)| (a - mean(&boost)) * (b - mean(&alone))).sum();
    let norm = |values: &[f32]| values.iter().map(|v| (v - mean(values)).powi(2)).sum::<f32>().sqrt();
    assert!(product > 0.9 * norm(&boost) * norm(&alone), "what is left of the stack is its other member");
}

#[test]
fn an_empty_view_is_refused() {
    let screen = screen();
    each(|case, model, validation| {
        let view = halfmax_core::TrainView { rows: Vec::new(), ..screen.all() };
        let context = FitContext::new(Seed::new(3), &Silent, validation);
        let error = model.fit_any(&view, &context).err().unwrap_or_else(|| panic!("{case} fits nothing"));
        let message = error.to_string();
        assert!(message.contains("no responses") || message.contains("have none"), "{case}: {message}");
    });
}

#[test]
fn features_that_are_mostly_missing_are_refused_with_their_share() {
    let screen = screen();
    let bare = EntityTable::new(["cell 1", "cell x"], "cell line").unwrap();
    each(|case, model, validation| {
        let fitted = fit(model, &screen, validation).unwrap();
        if fitted.space(0).is_empty() {
            return;
        }
        let query = Query { tables: &[&bare, screen.table(1)], tuples: Tuples::Listed(&[&[0], &[0]]) };
        let error = fitted.predict(&query).unwrap_err().to_string();
        assert!(error.contains("has 0 %") && error.contains("expected at least half"), "{case}: {error}");
        assert!(fitted.feature_shares(&[&bare, screen.table(1)]).is_err(), "{case}");
        assert_eq!(fitted.feature_shares(&[screen.table(0), screen.table(1)]).unwrap(), [1.0, 1.0]);
    });
}

#[test]
fn screens_of_one_row_one_column_or_one_value_are_survived() {
    let tiny = [
        screen_of(CELLS, 1, |_, _| true),
        screen_of(1, DRUGS, |_, _| true),
        screen_of(1, 1, |_, _| true),
        screen_of(CELLS, DRUGS, |cell, drug| cell == 0 || drug == 0),
    ];
    let (cells, drugs) = strangers();
    each(|case, model, validation| {
        for screen in &tiny {
            match fit(model, screen, validation) {
                Ok(fitted) => {
                    let scores = grid(&*fitted, &cells, &drugs);
                    assert!(scores.iter().all(|value| value.is_finite()), "{case}: {scores:?}");
                }
                // Stacks and searches need something to leave out.
                Err(error) => {
                    let nested = case.starts_with("stack") || case.starts_with("boost, searched");
                    assert!(nested && error.to_string().contains("inner folds"), "{case}: {error}");
                }
            }
        }
    });
}

#[test]
fn equal_responses_are_predicted_to_be_equal() {
    let varied = screen();
    let sides = vec![varied.responses.side(0).to_vec(), varied.responses.side(1).to_vec()];
    let responses = Responses::new(sides, vec![2.5; varied.responses.len()], None).unwrap();
    let flat = Screen::new("LN_IC50", varied.tables.clone(), varied.sides.clone(), responses).unwrap();
    each(|case, model, validation| {
        let fitted = fit(model, &flat, validation).unwrap();
        let scores = grid(&*fitted, flat.table(0), flat.table(1));
        assert!(scores.iter().all(|score| (score - 2.5).abs() < 1e-3), "{case}: {:?}", &scores[..5]);
    });
}

#[test]
fn learnt_families_find_the_planted_signal_in_cell_lines_they_never_saw() {
    let screen = screen_of(400, DRUGS, |_, _| true);
    let train = halfmax_core::TrainView {
        rows: (0..screen.responses.len()).filter(|row| screen.responses.side(0)[*row] < 300).collect(),
        ..screen.all()
    };
    let context = FitContext::new(Seed::new(3), &Silent, ValidationGroup::Entity(0));
    let test: Vec<usize> =
        (0..screen.responses.len()).filter(|row| screen.responses.side(0)[*row] >= 300).collect();
    let side = |side: usize| test.iter().map(|row| screen.responses.side(side)[*row]).collect::<Vec<u32>>();
    let (cell, drug) = (side(0), side(1));
    let observed: Vec<f32> = test.iter().map(|row| screen.responses.values()[*row]).collect();
    let learnt = |one: &Tried| matches!(one.kind, FamilyKind::Learnt | FamilyKind::Blend);
    for Tried { name: family, model, .. } in families().into_iter().filter(learnt) {
        let fitted = model.fit_any(&train, &context).unwrap();
        let query =
            Query { tables: &[screen.table(0), screen.table(1)], tuples: Tuples::Listed(&[&cell, &drug]) };
        let predicted = fitted.predict(&query).unwrap();
        let scored = halfmax_eval::Scored::new(&cell, &drug, &observed, &predicted).unwrap();
        let within = scored.metrics().r2_within_drug().unwrap();
        assert!(within > 0.5, "{family}: within-drug R² {within}");
    }
}

#[test]
fn measured_responses_move_the_entity_they_are_of() {
    let screen = screen();
    let (cells, drugs) = strangers();
    // A cell line and a drug that were not in training, with partners that were.
    let sides = vec![vec![7, 7, 1], vec![0, 1, 5]];
    let measured = Responses::new(sides, vec![9.0, 9.0, 9.0], None).unwrap();
    let conditionable = RefCell::new(BTreeSet::new());
    each(|case, model, validation| {
        let fitted = fit(model, &screen, validation).unwrap();
        let tables = [&cells, &drugs];
        let Some(fitted_to) = fitted.as_conditionable() else { return };
        conditionable.borrow_mut().insert(fitted.family());
        let before = grid(&*fitted, &cells, &drugs);
        let nothing = Responses::new(vec![vec![], vec![]], vec![], None).unwrap();
        let same = fitted_to.condition_on(&tables, &nothing).unwrap();
        assert_eq!((same.used, bits(&grid(&*same.model, &cells, &drugs))), (0, bits(&before)), "{case}");
        let informed = fitted_to.condition_on(&tables, &measured).unwrap();
        assert!((1..=3).contains(&informed.used), "{case}");
        let after = grid(&*informed.model, &cells, &drugs);
        assert!(after.iter().all(|value| value.is_finite()), "{case}");
        let moved =
            |cell: usize, drug: usize| after[cell * drugs.len() + drug] - before[cell * drugs.len() + drug];
        assert!(moved(7, 0) > 0.05 || moved(1, 5) > 0.05, "{case}");
        assert_eq!(moved(0, 0), 0.0, "{case}: a cell line and a drug of the training");
        let beyond = Responses::new(vec![vec![99], vec![0]], vec![1.0], None).unwrap();
        assert!(fitted_to.condition_on(&tables, &beyond).is_err(), "{case}");
    });
    assert_eq!(conditionable.into_inner(), BTreeSet::from(["completion", "kernel"]));
}

#[test]
fn queries_that_cannot_be_are_refused_and_never_panic() {
    let screen = screen();
    let (cells, drugs) = strangers();
    each(|case, model, validation| {
        let fitted = fit(model, &screen, validation).unwrap();
        let refused = |tables: &[&EntityTable], tuples: Tuples, part: &str| {
            let found = fitted.predict(&Query { tables, tuples });
            let error = found.err().unwrap_or_else(|| panic!("{case}: {part}")).to_string();
            assert!(error.contains(part), "{case}: {error}");
        };
        let both = [&cells, &drugs];
        refused(&both, Tuples::Listed(&[&[0], &[99]]), "names drug number 99 of 6");
        refused(&both, Tuples::Grid(&[&[99], &[0]]), "names cell line number 99 of 10");
        refused(&both, Tuples::Listed(&[&[0, 1], &[0]]), "differ in length");
        refused(&both, Tuples::Listed(&[&[0]]), "2 tables and 1 sides");
        refused(&[&cells], Tuples::Listed(&[&[0]]), "but the model has 2");
        let scores = fitted.prepare(&[&cells], &[0]).and_then(|grid| grid.scores(&[0]));
        assert!(scores.is_err(), "{case}");
    });
}
