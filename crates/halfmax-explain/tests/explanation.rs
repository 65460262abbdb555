//! Mechanisms are found where they act, and nowhere else.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::{
    Category, EntityTable, FeatureBlock, FeatureValues, FitContext, FittedModel, Model, Responses, Screen,
    Seed, SeenAgain, Side, Silent, ValidationGroup,
};
use halfmax_explain::{
    Confounders, Explanation, FeatureGroup, FeatureSet, Member, Question, Samples, Settings, counterfactual,
    false_discovery_rates, permutation_importance,
};
use halfmax_kernel::{FittedKernel, KernelKind, KernelParams, KernelTerm};
use halfmax_mechanisms::{Reading, Sense};
use ndarray::Array2;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CELLS: usize = 240;
const DRUGS: usize = 12;
const GENES: usize = 400;
/// Genes 0 to 7 form the active mechanism of the first drugs.
const SET: usize = 8;
const CONCERNED: usize = 4;

struct Study {
    screen: Screen,
    genes: Array2<f32>,
}

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0
}

/// Correlated genes in modules of ten. For the first drugs, the genes of the set raise the response (the first gene
/// most). For all drugs, general sensitivity and tissue matter.
fn study(seed: u64, effect: f32, shuffled: bool) -> Study {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let modules = Array2::from_shape_fn((CELLS, GENES / 10), |_| normal(&mut rng));
    let genes = Array2::from_shape_fn((CELLS, GENES), |(cell, gene)| {
        0.6 * modules[[cell, gene / 10]] + normal(&mut rng)
    });
    let general: Vec<f32> = (0..CELLS).map(|cell| modules[[cell, 20]]).collect();
    let tissue: Vec<usize> = (0..CELLS).map(|cell| cell % 3).collect();
    let mut values = Vec::new();
    for drug in 0..DRUGS {
        let mut own: Vec<f32> = (0..CELLS)
            .map(|cell| {
                let acts = if drug < CONCERNED { effect } else { 0.0 };
                let set: f32 = genes[[cell, 0]] + 0.3 * (1..SET).map(|gene| genes[[cell, gene]]).sum::<f32>();
                acts * set + general[cell] + 0.5 * tissue[cell] as f32 + 0.7 * normal(&mut rng)
            })
            .collect();
        if shuffled {
            own.shuffle(&mut rng);
        }
        values.push(own);
    }
    let pairs: Vec<(u32, u32)> =
        (0..CELLS as u32).flat_map(|cell| (0..DRUGS as u32).map(move |drug| (cell, drug))).collect();
    let sides = vec![pairs.iter().map(|pair| pair.0).collect(), pairs.iter().map(|pair| pair.1).collect()];
    let value = |pair: &(u32, u32)| values[pair.1 as usize][pair.0 as usize];
    let responses = Responses::new(sides, pairs.iter().map(value).collect(), None).unwrap();
    let names = (0..GENES).map(|gene| format!("G{gene}"));
    let block = FeatureBlock::new("expression", names, FeatureValues::real(genes.clone())).unwrap();
    let labels: Vec<_> = tissue.iter().map(|tissue| Some(["lung", "skin", "blood"][*tissue])).collect();
    let cells = EntityTable::new((0..CELLS).map(|cell| format!("cell {cell}")), "cell line")
        .unwrap()
        .with_group("tissue", Category::from_labels(&labels).unwrap())
        .unwrap()
        .with_block(block)
        .unwrap();
    let drugs = EntityTable::new((0..DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap();
    let screen =
        Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)
            .unwrap();
    Study { screen, genes }
}

fn fit(screen: &Screen) -> FittedKernel {
    let linear = KernelTerm {
        features: "expression".into(),
        kernel: KernelKind::Linear,
        weight: 1.0,
        lengthscale: 1.0,
        standardise: false,
        times: Vec::new(),
    };
    let params =
        KernelParams { cell_kernels: vec![linear], seen_again: SeenAgain::Drug, ..KernelParams::default() };
    let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
    params.check().unwrap().fit(&screen.all(), &context).unwrap()
}

/// The active set, and other sets of the same size from single modules of correlated genes.
fn sets() -> Vec<FeatureSet> {
    let member = |gene: usize| Member {
        feature: gene as u32,
        reading: Reading { gene: format!("G{gene}"), sense: Sense::More },
        orientation: 1.0,
    };
    let of = |genes: Vec<usize>| FeatureSet { members: genes.into_iter().map(member).collect() };
    let mut sets = vec![of((0..SET).collect())];
    // A module without the genes of general sensitivity, and genes of different modules.
    sets.extend((3..15).map(|module| of((module * 10..module * 10 + SET).collect())));
    sets.extend((0..8).map(|first| of((0..SET).map(|at| (60 + first + at * 11) % 200 + 20).collect())));
    sets
}

fn explained(study: &Study, fitted: &FittedKernel, sets: &[FeatureSet]) -> Explanation {
    let question = Question::new(fitted, &study.screen);
    let settings = Settings { permutations: 400, seed: Seed::new(5) };
    let attributor = question.attributor().unwrap().unwrap();
    question.explain(&*attributor, sets, &|_, _, _| 1.0, settings, &Silent).unwrap()
}

#[test]
fn a_mechanism_is_found_for_the_drugs_that_it_concerns() {
    let study = study(1, 1.0, false);
    let fitted = fit(&study.screen);
    let sets = sets();
    let found = explained(&study, &fitted, &sets);
    assert_eq!(found.partners.len(), DRUGS);
    for (drug, partner) in found.partners.iter().enumerate() {
        let mechanism = &partner.mechanisms[0];
        if drug < CONCERNED {
            assert!(mechanism.adjusted.p.unwrap() < 0.01, "{drug}: {:?}", mechanism.adjusted);
            assert!(mechanism.self_contained.unwrap() < 0.01);
            assert!(mechanism.adjusted.effect > 0.0 && mechanism.adjusted.agreement.unwrap() > 0.0);
            let importance = &partner.importance;
            let best = (0..GENES)
                .max_by(|a, b| importance[*a].adjusted_mean_abs.total_cmp(&importance[*b].adjusted_mean_abs));
            assert_eq!(best, Some(0), "the gene that acts most ranks first for drug {drug}");
            assert!(importance[0].effect > 0.0 && importance[0].adjusted_effect > 0.0);
        }
        // General sensitivity moves every drug.
        assert!(partner.explained.general.unwrap() > 0.1, "{:?}", partner.explained);
        assert!((0.0..=1.0).contains(&partner.explained.tissue.unwrap()));
        assert_eq!(partner.spreads[0].feature as usize, {
            let importance = &partner.importance;
            (0..GENES).max_by(|a, b| importance[*a].mean_abs.total_cmp(&importance[*b].mean_abs)).unwrap()
        });
    }
}

#[test]
fn adjusting_takes_away_what_all_drugs_share() {
    let study = study(2, 1.0, false);
    let fitted = fit(&study.screen);
    let found = explained(&study, &fitted, &sets());
    // A gene of the module behind general sensitivity.
    let shared = |of: &dyn Fn(&halfmax_explain::Importance) -> f64| {
        found.partners[DRUGS - 1].importance[200..210].iter().map(of).sum::<f64>()
    };
    let (before, after) = (shared(&|one| one.mean_abs), shared(&|one| one.adjusted_mean_abs));
    assert!(after < 0.5 * before, "{after} of {before} is left");
}

#[test]
fn shuffled_responses_have_no_mechanism() {
    let sets = sets();
    let (mut competitive, mut own, mut tests) = (0, 0, 0);
    for seed in 0..6 {
        let study = study(10 + seed, 1.0, true);
        let fitted = fit(&study.screen);
        let found = explained(&study, &fitted, &sets);
        let all = || found.partners.iter().flat_map(|partner| &partner.mechanisms);
        let below = |p: Vec<Option<f64>>| {
            false_discovery_rates(&p).into_iter().flatten().filter(|rate| *rate < 0.05).count()
        };
        competitive += below(all().map(|one| one.adjusted.p).collect());
        own += below(all().map(|one| one.self_contained).collect());
        tests += all().count();
    }
    assert!(competitive * 20 <= tests, "competitive: {competitive} of {tests}");
    assert!(own * 20 <= tests, "self-contained: {own} of {tests}");
}

#[test]
fn threads_change_nothing() {
    let study = study(3, 0.5, false);
    let fitted = fit(&study.screen);
    let sets = sets();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let found = explained(&study, &fitted, &sets);
            let text = |partner: &halfmax_explain::PartnerExplanation| {
                format!("{:?} {:?}", partner.importance, partner.mechanisms)
            };
            found.partners.iter().map(text).collect::<Vec<_>>()
        })
    };
    let one = with(1);
    assert!(one == with(2));
    assert!(one == with(8));
}

#[test]
fn a_sample_is_argued_with_its_own_contributions_and_predictions() {
    let study = study(4, 1.0, false);
    let fitted = fit(&study.screen);
    let tables = [study.screen.table(0), study.screen.table(1)];
    let partners: Vec<Vec<u32>> = (0..DRUGS as u32).map(|drug| vec![drug]).collect();
    let sets = sets();
    let samples = Samples::new(&fitted, &tables, &[7, 30], &partners, &sets).unwrap();
    let attributor = fitted.as_attributable(0).unwrap().attribute(&tables, 0, &[7, 30]).unwrap();
    let all = attributor.contributions(&[0]).unwrap();
    let argument = samples.arguments(0, 1, &sets).into_iter().find(|one| one.set == 0).unwrap();
    let expected: f64 = (0..SET).map(|gene| f64::from(all.values[[gene, 1]])).sum();
    assert!((argument.contribution - expected).abs() < 1e-6);
    assert!(argument.members.windows(2).all(|two| two[0].1.abs() >= two[1].1.abs()));
    // A counterfactual at the present value changes nothing. At another value, a linear model changes by weight ×
    // difference.
    let space = samples.space.clone();
    let at = |value: f32| counterfactual(&fitted, &tables, 30, &space, (0, value), &partners).unwrap();
    let own = study.genes[[30, 0]];
    for (drug, same) in at(own).into_iter().enumerate() {
        assert!((same - samples.predicted[drug][1]).abs() < 1e-4);
    }
    let (_, _, weights) = fitted.linear_weights("expression").unwrap();
    for (drug, other) in at(own + 2.0).into_iter().enumerate() {
        let difference = other - samples.predicted[drug][1];
        assert!((difference - 2.0 * weights[[0, drug]]).abs() < 1e-3, "{difference}");
    }
}

#[test]
fn exchanging_features_costs_what_they_tell() {
    let study = study(5, 1.0, false);
    let fitted = fit(&study.screen);
    let group = |genes: std::ops::Range<usize>| {
        FeatureGroup(vec![("expression".to_owned(), genes.map(|gene| format!("G{gene}")).collect())])
    };
    let groups = [
        group(0..GENES),
        group(0..SET),
        group(100..100 + SET),
        FeatureGroup(vec![("absent".to_owned(), Vec::new())]),
    ];
    let found = permutation_importance(&fitted, &study.screen, &groups, 3, Seed::new(1)).unwrap();
    let rise: Vec<f64> = found.iter().map(|one| one.rise[0]).collect();
    assert!(rise[0] > rise[1] && rise[1] > 5.0 * rise[2].abs(), "{rise:?}");
    assert_eq!(rise[3], 0.0);
    assert!(found.iter().all(|one| one.rise[1] <= one.rise[0] && one.rise[0] <= one.rise[2]));
}

#[test]
fn entities_without_a_tissue_are_a_group_of_their_own() {
    let tissue = Category::from_labels(&[Some("lung"), Some("lung"), None, None]).unwrap();
    let confounders = Confounders::new(vec![1.0, 3.0, 10.0, 20.0], 2, Some(&tissue), &[0, 1, 2, 3]);
    let mut values = vec![1.0, 3.0, 5.0, 9.0];
    confounders.centre(&mut values);
    assert_eq!(values, [-1.0, 1.0, -2.0, 2.0]);
    assert_eq!(confounders.explained(&[2.0; 4]).tissue, None);
    assert!(confounders.explained(&[1.0, 1.0, 2.0, 2.0]).tissue.unwrap() > 0.99);
    // A single partner has no other partners to adjust for.
    let alone = Confounders::new(vec![1.0, 3.0, 10.0, 20.0], 1, Some(&tissue), &[0, 1, 2, 3]);
    assert_eq!(
        (alone.slope(&[1.0, 3.0, 10.0, 20.0]), alone.explained(&[1.0, 3.0, 10.0, 20.0]).general),
        (0.0, None)
    );
}

#[test]
fn a_family_that_says_nothing_has_no_attributor() {
    let study = study(6, 1.0, false);
    let mean = halfmax_baselines::Naive::DrugMean
        .fit(&study.screen.all(), &FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0)))
        .unwrap();
    assert!(Question::new(&mean, &study.screen).attributor().unwrap().is_none());
}

/// Boosted trees with known cell lines split on their mean responses, which are not features.
#[test]
fn what_a_model_knows_of_an_entity_is_part_of_the_base() {
    let study = study(7, 1.0, false);
    let model = halfmax_boost::BoostParams {
        rounds: 40,
        seen_again: SeenAgain::Cell,
        mean_feature: true,
        baseline: false,
        ..Default::default()
    };
    let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Response);
    let fitted = model.check().unwrap().fit(&study.screen.all(), &context).unwrap();
    let tables = [study.screen.table(0), study.screen.table(1)];
    let all: Vec<u32> = (0..CELLS as u32).collect();
    let whole = fitted.as_attributable(0).unwrap().attribute(&tables, 0, &all).unwrap();
    let kinds = ["mean_response", "training_number"];
    assert!(whole.space().features.iter().any(|feature| kinds.contains(&feature.kind.as_str())));
    let question = Question::new(&fitted, &study.screen);
    let own = question.attributor().unwrap().unwrap();
    assert!(own.space().features.iter().all(|feature| feature.kind == "expression"));
    let sums = |found: &halfmax_core::Attribution| -> Vec<f64> {
        let sum = |cell: usize| found.values.column(cell).iter().map(|value| f64::from(*value)).sum::<f64>();
        found.base.iter().enumerate().map(|(cell, base)| base + sum(cell)).collect()
    };
    for (one, other) in
        sums(&whole.contributions(&[2]).unwrap()).iter().zip(sums(&own.contributions(&[2]).unwrap()))
    {
        assert!((one - other).abs() < 1e-5);
    }
}

/// Responses that depend on nothing, in many small tissues: small p values are as frequent as chance predicts.
#[test]
fn small_tissues_do_not_make_the_self_contained_test_see_things() {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (cells, tissues) = (60, 25);
    let member = |feature: u32| Member {
        feature,
        reading: Reading { gene: format!("G{feature}"), sense: Sense::More },
        orientation: 1.0,
    };
    let set = FeatureSet { members: (0..3).map(member).collect() };
    let mut small = 0;
    for draw in 0..400 {
        let standard = Array2::from_shape_fn((3, cells), |_| normal(&mut rng));
        let measured = halfmax_explain::Measured {
            entities: (0..cells).collect(),
            values: (0..cells).map(|_| f64::from(normal(&mut rng))).collect(),
            tissues: (0..cells).map(|cell| cell % tissues).collect(),
        };
        let found = halfmax_explain::self_contained(
            &standard,
            &measured,
            std::slice::from_ref(&set),
            99,
            Seed::new(draw),
        );
        small += usize::from(found[0].unwrap() <= 0.05);
    }
    // 20 are expected, with a standard deviation of 4.4.
    assert!((6..=34).contains(&small), "{small} of 400");
}
