//! What is planted in made-up screens is found, and nothing else.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_association::{
    Covariates, FeatureMatrix, ResponseMatrix, ScanOptions, Selected, SelectionOptions, TestState,
    benjamini_hochberg, scan, select,
};
use halfmax_core::{
    BitColumns, Category, EntityTable, FeatureBlock, FeatureValues, Responses, Screen, Seed, Side, Silent,
};
use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CELLS: usize = 300;
const GENES: usize = 200;
const EVENTS: usize = 60;
const TISSUES: usize = 8;
/// Genes 0 to 7 are amplified together with event 0.
const AMPLICON: usize = 8;
/// Genes 8 to 19 mark tissue 0.
const MARKERS: std::ops::Range<usize> = 8..20;

struct MadeUp {
    screen: Screen,
}

/// A standard normal number.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

impl MadeUp {
    /// A screen with `drugs` drugs. `planted` gives the effect on a cell line, by its events, genes and tissue. All drugs share a
    /// part of the noise, as with general sensitivity.
    fn new(seed: u64, drugs: usize, planted: impl Fn(&[bool], &[f64], usize) -> f64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(Seed::new(seed).value());
        let tissue: Vec<usize> = (0..CELLS).map(|cell| cell % TISSUES).collect();
        let events: Vec<Vec<bool>> = (0..CELLS)
            .map(|cell| {
                (0..EVENTS)
                    .map(|event| match event {
                        0 => random.random::<f64>() < 0.1,
                        1 => cell < 5,
                        _ => random.random::<f64>() < 0.02 + 0.004 * event as f64,
                    })
                    .collect()
            })
            .collect();
        let genes: Vec<Vec<f64>> = (0..CELLS)
            .map(|cell| {
                (0..GENES)
                    .map(|gene| {
                        let noise = normal(&mut random);
                        match gene {
                            gene if gene < AMPLICON => {
                                0.5 * noise + 3.0 * f64::from(u8::from(events[cell][0]))
                            }
                            gene if MARKERS.contains(&gene) => {
                                0.5 * noise + 3.0 * f64::from(u8::from(tissue[cell] == 0))
                            }
                            _ => noise,
                        }
                    })
                    .collect()
            })
            .collect();
        let general: Vec<f64> = (0..CELLS).map(|_| normal(&mut random)).collect();
        let names =
            |prefix: &str, count: usize| (0..count).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>();
        let real = Array2::from_shape_fn((CELLS, GENES), |(cell, gene)| genes[cell][gene] as f32);
        let bits = BitColumns::from_fn(CELLS, EVENTS, |cell, event| Some(events[cell][event]));
        let labels: Vec<Option<String>> = tissue.iter().map(|at| Some(format!("tissue {at}"))).collect();
        let table = EntityTable::new(names("cell ", CELLS), "cell line")
            .unwrap()
            .with_block(
                FeatureBlock::new("expression", names("G", GENES), FeatureValues::real(real)).unwrap(),
            )
            .unwrap()
            .with_block(FeatureBlock::new("events", names("E", EVENTS), FeatureValues::Binary(bits)).unwrap())
            .unwrap()
            .with_group("tissue", Category::from_labels(&labels).unwrap())
            .unwrap();
        let pairs: Vec<(usize, usize)> =
            (0..CELLS).flat_map(|cell| (0..drugs).map(move |drug| (cell, drug))).collect();
        let values: Vec<f32> = pairs
            .iter()
            .map(|(cell, drug)| {
                let effect =
                    if *drug == 0 { planted(&events[*cell], &genes[*cell], tissue[*cell]) } else { 0.0 };
                (0.8 * general[*cell] + effect + normal(&mut random)) as f32
            })
            .collect();
        let sides = vec![
            pairs.iter().map(|pair| pair.0 as u32).collect(),
            pairs.iter().map(|pair| pair.1 as u32).collect(),
        ];
        let responses = Responses::new(sides, values, None).unwrap();
        let drugs = EntityTable::new(names("drug ", drugs), "drug").unwrap();
        let sides = vec![Side::cell_line(0), Side::drug(1)];
        Self { screen: Screen::new("LN_IC50", vec![table, drugs], sides, responses).unwrap() }
    }

    /// The findings of the first drug with the names of their leads, and the p values of its tests.
    fn found(&self) -> (Vec<(String, Selected)>, Vec<f64>, FeatureMatrix) {
        let responses = ResponseMatrix::new(&self.screen);
        let table = self.screen.table(0);
        let features = FeatureMatrix::new(table, &responses.cells, &[]);
        let covariates = Covariates::none()
            .with_category("tissue", table.group("tissue").unwrap(), &responses.cells)
            .with_general_sensitivity(responses.general_sensitivity());
        let tests = scan(&responses, &features, &covariates, &ScanOptions::default(), &Silent).unwrap();
        let selected = select(&responses, &features, &covariates, &tests, &SelectionOptions::default());
        let p = tests
            .iter()
            .filter(|(_, partner, test)| *partner == 0 && test.state == TestState::Tested)
            .map(|(_, _, test)| test.p)
            .collect();
        let named = selected[0].iter().map(|one| (features.features()[one.lead].name.clone(), one.clone()));
        (named.collect(), p, features)
    }
}

#[test]
fn a_rare_event_is_found_first() {
    let first = (0..40)
        .filter(|seed| {
            let made_up = MadeUp::new(*seed, 12, |events, _, _| if events[1] { -2.5 } else { 0.0 });
            let (found, _, _) = made_up.found();
            found.first().is_some_and(|(name, one)| name == "E1" && one.effect < 0.0)
        })
        .count();
    assert!(first >= 37, "{first} of 40");
}

#[test]
fn an_amplicon_is_one_finding_with_its_members() {
    for seed in 0..10 {
        let made_up = MadeUp::new(100 + seed, 12, |events, _, _| if events[0] { 1.5 } else { 0.0 });
        let (found, _, features) = made_up.found();
        let (name, one) = &found[0];
        let of_amplicon = |name: &str| {
            name == "E0" || name.strip_prefix('G').is_some_and(|at| at.parse::<usize>().unwrap() < AMPLICON)
        };
        assert!(of_amplicon(name), "{name}");
        let members: Vec<&str> =
            one.members.iter().map(|member| features.features()[member.feature].name.as_str()).collect();
        assert!(members.len() >= 7 && members.iter().all(|name| of_amplicon(name)), "{members:?}");
        // Chance adds a finding to one screen in twenty.
        assert!(found.len() <= 3, "{found:?}");
    }
}

#[test]
fn markers_of_a_lineage_are_not_taken_for_its_effect() {
    for seed in 0..10 {
        let made_up = MadeUp::new(200 + seed, 12, |_, _, tissue| if tissue == 0 { -1.5 } else { 0.0 });
        let (found, _, features) = made_up.found();
        assert_eq!(found[0].0, "tissue 0");
        let name = |row: usize| features.features()[row].name.as_str();
        let members: Vec<&str> = found[0].1.members.iter().map(|member| name(member.feature)).collect();
        assert!(members.iter().filter(|name| name.starts_with('G')).count() >= 10, "{members:?}");
        let markers = found.iter().filter(|(name, _)| {
            name.strip_prefix('G').is_some_and(|at| MARKERS.contains(&at.parse::<usize>().unwrap()))
        });
        assert_eq!(markers.count(), 0, "{found:?}");
    }
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let (mut of_rates, mut of_selection) = (0, 0);
    for seed in 0..200 {
        let (found, p, _) = MadeUp::new(1_000 + seed, 6, |_, _, _| 0.0).found();
        of_rates += usize::from(benjamini_hochberg(&p).iter().any(|q| *q <= 0.05));
        of_selection += usize::from(!found.is_empty());
    }
    // 5 % of 200 is 10; the number is binomial, so 2 to 19 hold 99.8 %.
    assert!((2..=19).contains(&of_rates), "{of_rates} of 200");
    assert!((2..=19).contains(&of_selection), "{of_selection} of 200");
}
