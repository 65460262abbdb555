//! What features contribute to predictions of the kernel model.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::{
    Attributable, Attribution, BitColumns, Category, EntityTable, FeatureBlock, FeatureValues, FitContext,
    FittedModel, Model, Query, Responses, Screen, Seed, SeenAgain, Side, Silent, Tuples, ValidationGroup,
};
use halfmax_kernel::{FittedKernel, KernelFactor, KernelKind, KernelParams, KernelTerm};
use ndarray::Array2;
use proptest::prelude::*;

const CELLS: usize = 12;
const DRUGS: usize = 4;
const GENES: usize = 3;
const EVENTS: usize = 4;
const TISSUES: [&str; 3] = ["lung", "skin", "breast"];

/// Features of entities, one after the other.
#[derive(Clone, Debug)]
struct Features {
    genes: Vec<f32>,
    events: Vec<bool>,
    tissues: Vec<usize>,
}

impl Features {
    fn table(&self, first: usize) -> EntityTable {
        let cells = self.tissues.len();
        let genes = Array2::from_shape_vec((cells, GENES), self.genes.clone()).unwrap();
        let events =
            BitColumns::from_fn(cells, EVENTS, |cell, event| Some(self.events[cell * EVENTS + event]));
        let tissues: Vec<_> = self.tissues.iter().map(|tissue| Some(TISSUES[*tissue])).collect();
        let tissue = Category::from_labels(&tissues).unwrap();
        EntityTable::new((0..cells).map(|cell| format!("cell {}", first + cell)), "cell line")
            .unwrap()
            .with_block(FeatureBlock::new("expression", ["A", "B", "C"], FeatureValues::real(genes)).unwrap())
            .unwrap()
            .with_block(
                FeatureBlock::new("events", ["P", "Q", "R", "S"], FeatureValues::Binary(events)).unwrap(),
            )
            .unwrap()
            .with_block(
                FeatureBlock::new("tissue", ["tissue"], FeatureValues::Category(vec![tissue])).unwrap(),
            )
            .unwrap()
    }
}

fn features() -> impl Strategy<Value = Features> {
    let genes = prop::collection::vec(-2.0f32..2.0, CELLS * GENES);
    let events = prop::collection::vec(any::<bool>(), CELLS * EVENTS);
    (genes, events, prop::collection::vec(0..TISSUES.len(), CELLS))
        .prop_map(|(genes, events, tissues)| Features { genes, events, tissues })
}

fn screen(features: &Features, values: &[f32]) -> Screen {
    let pairs: Vec<(u32, u32)> =
        (0..CELLS as u32 - 2).flat_map(|cell| (0..DRUGS as u32).map(move |drug| (cell, drug))).collect();
    let sides = vec![pairs.iter().map(|pair| pair.0).collect(), pairs.iter().map(|pair| pair.1).collect()];
    let values = values[..pairs.len()].to_vec();
    let responses = Responses::new(sides, values, None).unwrap();
    let codes = Array2::from_shape_fn((DRUGS + 1, 2), |(drug, at)| ((drug * 3 + at * 5) % 7) as f32);
    let codes = FeatureBlock::new("descriptor", ["X", "Y"], FeatureValues::real(codes)).unwrap();
    let drugs = EntityTable::new((0..=DRUGS).map(|drug| format!("drug {drug}")), "drug").unwrap();
    let tables = vec![features.table(0), drugs.with_block(codes).unwrap()];
    Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

fn term(features: &str, kernel: KernelKind, times: &[(&str, KernelKind)]) -> KernelTerm {
    let factor = |(features, kernel): &(&str, KernelKind)| KernelFactor {
        features: (*features).into(),
        kernel: *kernel,
        lengthscale: 1.0,
        standardise: false,
    };
    KernelTerm {
        features: features.into(),
        kernel,
        weight: 1.0,
        lengthscale: 1.0,
        standardise: false,
        times: times.iter().map(factor).collect(),
    }
}

fn terms() -> impl Strategy<Value = Vec<KernelTerm>> {
    let possible = vec![
        term("expression", KernelKind::Linear, &[]),
        term("expression", KernelKind::Rbf, &[]),
        term("events", KernelKind::Tanimoto, &[]),
        term("events", KernelKind::Linear, &[]),
        KernelTerm { standardise: true, ..term("events", KernelKind::Linear, &[]) },
        KernelTerm { standardise: true, ..term("expression", KernelKind::Rbf, &[]) },
        term("tissue", KernelKind::Match, &[]),
        term("expression", KernelKind::Rbf, &[("tissue", KernelKind::Match)]),
        term("events", KernelKind::Tanimoto, &[("expression", KernelKind::Linear)]),
        term(
            "expression",
            KernelKind::Linear,
            &[("expression", KernelKind::Rbf), ("tissue", KernelKind::Match)],
        ),
    ];
    prop::sample::subsequence(possible, 1..=4)
}

fn fit(screen: &Screen, cell_kernels: Vec<KernelTerm>) -> FittedKernel {
    let params = KernelParams {
        cell_kernels,
        seen_again: SeenAgain::Drug,
        feature_share: Some(0.8),
        noise_ratio: Some(0.5),
        profile_shrinkage: Some(0.2),
        ..KernelParams::default()
    };
    let context = FitContext::new(Seed::new(1), &Silent, ValidationGroup::Entity(0));
    params.check().unwrap().fit(&screen.all(), &context).unwrap()
}

fn predicted(fitted: &FittedKernel, cells: &EntityTable, drugs: &EntityTable, drug: u32) -> Vec<f64> {
    let all: Vec<u32> = (0..cells.len() as u32).collect();
    let query = Query { tables: &[cells, drugs], tuples: Tuples::Grid(&[&all, &[drug]]) };
    fitted.predict(&query).unwrap().into_iter().map(f64::from).collect()
}

fn attributed(fitted: &FittedKernel, cells: &EntityTable, drugs: &EntityTable, drug: u32) -> Attribution {
    let all: Vec<u32> = (0..cells.len() as u32).collect();
    let tables = [cells, drugs];
    fitted.as_attributable(0).unwrap().attribute(&tables, 0, &all).unwrap().contributions(&[drug]).unwrap()
}

/// The integral along the path, by the midpoint rule and differences of predictions.
fn integrated(fitted: &FittedKernel, drugs: &EntityTable, drug: u32, start: &[f32], end: &[f32]) -> Vec<f64> {
    const STEPS: usize = 40;
    const H: f32 = 0.02;
    let mut genes = Vec::new();
    for step in 0..STEPS {
        let t = (step as f32 + 0.5) / STEPS as f32;
        let at: Vec<f32> = start.iter().zip(end).map(|(start, end)| start + t * (end - start)).collect();
        for gene in 0..GENES {
            for sign in [H, -H] {
                let mut moved = at.clone();
                moved[gene] += sign;
                genes.extend(moved);
            }
        }
    }
    let count = genes.len() / GENES;
    let genes = Array2::from_shape_vec((count, GENES), genes).unwrap();
    let block = FeatureBlock::new("expression", ["A", "B", "C"], FeatureValues::real(genes)).unwrap();
    let cells = EntityTable::new((0..count).map(|at| format!("step {at}")), "cell line").unwrap();
    let predicted = predicted(fitted, &cells.with_block(block).unwrap(), drugs, drug);
    let slope = |step: usize, gene: usize| {
        let at = 2 * (step * GENES + gene);
        (predicted[at] - predicted[at + 1]) / f64::from(2.0 * H)
    };
    let mean = |gene: usize| (0..STEPS).map(|step| slope(step, gene)).sum::<f64>() / STEPS as f64;
    (0..GENES).map(|gene| mean(gene) * f64::from(end[gene] - start[gene])).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn contributions_and_base_make_the_prediction(
        features in features(), terms in terms(), values in prop::collection::vec(-2.0f32..2.0, CELLS * DRUGS),
    ) {
        let screen = screen(&features, &values);
        let fitted = fit(&screen, terms);
        let (cells, drugs) = (&screen.tables[0], &screen.tables[1]);
        for drug in 0..=DRUGS as u32 {
            let attribution = attributed(&fitted, cells, drugs, drug);
            let predicted = predicted(&fitted, cells, drugs, drug);
            for (cell, base) in attribution.base.iter().enumerate() {
                let sum: f64 = attribution.values.column(cell).iter().map(|value| f64::from(*value)).sum();
                prop_assert!((base + sum - predicted[cell]).abs() < 1e-5);
            }
            // Cell lines that training lacks differ by their features only, so that their base is the same.
            let strangers = &attribution.base[CELLS - 2..];
            prop_assert!((strangers[0] - strangers[1]).abs() < 1e-4, "{strangers:?}");
        }
    }

    #[test]
    fn they_are_the_integral_of_the_slope_of_the_prediction(
        features in features(), values in prop::collection::vec(-2.0f32..2.0, CELLS * DRUGS),
    ) {
        let screen = screen(&features, &values);
        let kernels =
            [KernelKind::Linear, KernelKind::Rbf].map(|kernel| term("expression", kernel, &[]));
        let fitted = fit(&screen, kernels.to_vec());
        let (cells, drugs) = (&screen.tables[0], &screen.tables[1]);
        let genes = |cell: usize| &features.genes[cell * GENES..(cell + 1) * GENES];
        let mean: Vec<f32> = (0..GENES)
            .map(|gene| (0..CELLS - 2).map(|cell| genes(cell)[gene]).sum::<f32>() / (CELLS - 2) as f32)
            .collect();
        for drug in [0, DRUGS as u32] {
            let attribution = attributed(&fitted, cells, drugs, drug);
            for cell in [0, CELLS - 1] {
                let expected = integrated(&fitted, drugs, drug, &mean, genes(cell));
                for (gene, expected) in expected.iter().enumerate() {
                    let found = f64::from(attribution.values[[gene, cell]]);
                    prop_assert!((found - expected).abs() < 2e-3, "{found} for {expected}");
                }
            }
        }
    }
}

#[test]
fn a_linear_kernel_has_its_weights_times_the_differences() {
    let features = Features {
        genes: (0..CELLS * GENES).map(|at| ((at * 7) % 11) as f32 / 4.0).collect(),
        events: vec![false; CELLS * EVENTS],
        tissues: vec![0; CELLS],
    };
    let values: Vec<f32> = (0..CELLS * DRUGS).map(|at| ((at * 5) % 9) as f32).collect();
    let screen = screen(&features, &values);
    let linear = |standardise| KernelTerm { standardise, ..term("expression", KernelKind::Linear, &[]) };
    for fitted in [false, true].map(|standardise| fit(&screen, vec![linear(standardise)])) {
        let (_, mean, weights) = fitted.linear_weights("expression").unwrap();
        let attribution = attributed(&fitted, &screen.tables[0], &screen.tables[1], 2);
        for cell in 0..CELLS {
            for gene in 0..GENES {
                let difference = features.genes[cell * GENES + gene] - mean[gene];
                let expected = weights[[gene, 2]] * f64::from(difference);
                assert!((f64::from(attribution.values[[gene, cell]]) - expected).abs() < 1e-5);
            }
        }
    }
    let fitted = fit(&screen, vec![linear(false)]);
    let all: Vec<u32> = (0..CELLS as u32).collect();
    let tables = [&screen.tables[0], &screen.tables[1]];
    let attributor = fitted.as_attributable(0).unwrap().attribute(&tables, 0, &all).unwrap();
    assert_eq!(attributor.method(), "exact Shapley values of a linear model");
    assert_eq!(attributor.contributions(&[9]).unwrap_err().to_string(), "a query names drug number 9 of 5");
    assert_eq!(
        attributor.contributions(&[]).unwrap_err().to_string(),
        "0 partners for a model with 2 sides: expected one for each other side"
    );
    // Drugs are columns: what they are is no part of the profiles of cell lines.
    assert!(fitted.as_attributable(1).is_none());
    assert!(fitted.attribute(&tables, 1, &[0]).is_err());
    assert!(fitted.as_attributable(0).unwrap().attribute(&tables, 0, &[99]).is_err());
    assert!(
        fitted
            .as_attributable(0)
            .unwrap()
            .attribute(&tables, 0, &[])
            .unwrap()
            .contributions(&[0])
            .unwrap()
            .base
            .is_empty()
    );
}
