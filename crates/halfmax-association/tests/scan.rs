//! Every test of a scan is that of ordinary least squares on the same cell lines.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use faer::Mat;
use faer::linalg::solvers::Solve;
use halfmax_association::{
    Covariates, Detail, FeatureMatrix, ResponseMatrix, ScanOptions, TestState, Tests, scan, scan_categories,
    t_probability,
};
use halfmax_core::{
    BitColumns, Category, EntityTable, FeatureBlock, FeatureValues, Responses, Screen, Seed, Side, Silent,
};
use ndarray::Array2;

const CELLS: usize = 90;
const DRUGS: usize = 4;
const GENES: usize = 6;
const EVENTS: usize = 5;
const TISSUES: usize = 4;

/// A number from −1 to 1.
fn noise(a: usize, b: usize) -> f64 {
    (Seed::new(9).derive((a * 1000 + b) as u64).value() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn tissue(cell: usize) -> usize {
    ((noise(cell, 900) + 1.0) * 2.0) as usize
}

fn event(cell: usize, event: usize) -> bool {
    noise(cell, 500 + event) > 0.5 + 0.1 * event as f64
}

/// A screen with gaps in responses, in one gene and in one event; with weights if wanted.
fn screen(weighted: bool) -> Screen {
    let gene = |cell: usize, gene: usize| match gene == 2 && cell.is_multiple_of(7) {
        true => f32::NAN,
        false => (3.0 + noise(cell, gene) + 0.5 * tissue(cell) as f64) as f32,
    };
    let genes = Array2::from_shape_fn((CELLS, GENES), |(cell, at)| gene(cell, at));
    let events = BitColumns::from_fn(CELLS, EVENTS, |cell, at| {
        (at != 1 || !cell.is_multiple_of(11)).then(|| event(cell, at))
    });
    let names = |prefix: &str, count: usize| (0..count).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>();
    let labels: Vec<Option<String>> =
        (0..CELLS).map(|cell| Some(format!("tissue {}", tissue(cell)))).collect();
    let tissues = Category::from_labels(&labels).unwrap();
    let cells = EntityTable::new(names("cell ", CELLS), "cell line")
        .unwrap()
        .with_block(FeatureBlock::new("expression", names("G", GENES), FeatureValues::real(genes)).unwrap())
        .unwrap()
        .with_block(FeatureBlock::new("events", names("E", EVENTS), FeatureValues::Binary(events)).unwrap())
        .unwrap()
        .with_block(
            FeatureBlock::new("tissue", ["tissue"], FeatureValues::Category(vec![tissues.clone()])).unwrap(),
        )
        .unwrap()
        .with_group("tissue", tissues)
        .unwrap();
    let drugs = EntityTable::new(names("drug ", DRUGS), "drug").unwrap();
    let pairs: Vec<(usize, usize)> = (0..CELLS)
        .flat_map(|cell| (0..DRUGS).map(move |drug| (cell, drug)))
        .filter(|(cell, drug)| noise(*cell, 700 + drug) > -0.6)
        .collect();
    let value = |(cell, drug): (usize, usize)| {
        let carrier = f64::from(u8::from(event(cell, drug)));
        (2.0 * noise(cell, 300 + drug) + 0.7 * tissue(cell) as f64 - 1.5 * carrier) as f32
    };
    let sides = vec![
        pairs.iter().map(|pair| pair.0 as u32).collect(),
        pairs.iter().map(|pair| pair.1 as u32).collect(),
    ];
    let weights =
        weighted.then(|| pairs.iter().map(|pair| (1.5 + noise(pair.0, 800 + pair.1)) as f32).collect());
    let values = pairs.into_iter().map(value).collect();
    let responses = Responses::new(sides, values, weights).unwrap();
    Screen::new("LN_IC50", vec![cells, drugs], vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

struct Prepared {
    responses: ResponseMatrix,
    features: FeatureMatrix,
    covariates: Covariates,
    size: Vec<f64>,
}

impl Prepared {
    fn new(weighted: bool, general: bool) -> Self {
        let screen = screen(weighted);
        let responses = ResponseMatrix::new(&screen);
        let table = screen.table(0);
        let features = FeatureMatrix::new(table, &responses.cells, &[]);
        let size: Vec<f64> =
            (0..CELLS).map(|cell| if cell == 5 { f64::NAN } else { noise(cell, 950) }).collect();
        let mut covariates = Covariates::none()
            .with_category("tissue", table.group("tissue").unwrap(), &responses.cells)
            .with_number("size", size.clone());
        if general {
            covariates = covariates.with_general_sensitivity(responses.general_sensitivity());
        }
        Self { responses, features, covariates, size }
    }

    fn scan(&self) -> Tests {
        let options = ScanOptions { robust_below: 1.0, ..ScanOptions::default() };
        scan(&self.responses, &self.features, &self.covariates, &options, &Silent).unwrap()
    }

    /// The columns of the covariates for these cell lines, and the responses with weights.
    fn whole(
        &self,
        partner: usize,
        cells: &[usize],
        with_tissue: bool,
    ) -> (Vec<Vec<f64>>, Vec<f64>, Vec<f64>) {
        let mut columns = vec![vec![1.0; cells.len()]];
        if with_tissue {
            columns.extend(
                (1..TISSUES).map(|level| {
                    cells.iter().map(|cell| f64::from(u8::from(tissue(*cell) == level))).collect()
                }),
            );
        }
        let known: Vec<f64> = self.size.iter().copied().filter(|value| value.is_finite()).collect();
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        columns.push(cells.iter().map(|cell| if *cell == 5 { mean } else { self.size[*cell] }).collect());
        if cells.contains(&5) {
            columns.push(cells.iter().map(|cell| f64::from(u8::from(*cell == 5))).collect());
        }
        if self.covariates.names().contains(&"general sensitivity") {
            let general = self.responses.general_sensitivity();
            columns.push(cells.iter().map(|cell| general[[*cell, partner]]).collect());
        }
        let y = cells.iter().map(|cell| self.responses.values(partner)[*cell]).collect();
        let w = cells.iter().map(|cell| self.responses.weights(partner)[*cell]).collect();
        (columns, y, w)
    }
}

struct Fit {
    effect: f64,
    t: f64,
    robust_t: f64,
    df: f64,
    rest: f64,
}

/// Weighted least squares by normal equations; the last column is the tested feature.
fn fitted(columns: &[Vec<f64>], y: &[f64], w: &[f64]) -> Fit {
    let (n, k) = (y.len(), columns.len());
    let x = Mat::from_fn(n, k, |row, column| columns[column][row] * w[row].sqrt());
    let y = Mat::from_fn(n, 1, |row, _| y[row] * w[row].sqrt());
    let gram = x.transpose() * &x;
    let inverse = gram.partial_piv_lu().solve(Mat::<f64>::identity(k, k));
    let beta = &inverse * (x.transpose() * &y);
    let residuals = &y - &x * &beta;
    let rest: f64 = (0..n).map(|row| residuals[(row, 0)].powi(2)).sum();
    let df = (n - k) as f64;
    let effect = beta[(k - 1, 0)];
    let t = effect / (rest / df * inverse[(k - 1, k - 1)]).sqrt();
    let half = &inverse * x.transpose();
    let robust: f64 = (0..n)
        .map(|row| {
            let leverage: f64 = (0..k).map(|at| x[(row, at)] * half[(at, row)]).sum();
            // A cell line that has a covariate for itself is fitted exactly.
            let rest = 1.0 - leverage;
            if rest < 1e-9 { 0.0 } else { (half[(k - 1, row)] * residuals[(row, 0)] / rest).powi(2) }
        })
        .sum();
    Fit { effect, t, robust_t: effect / robust.sqrt(), df, rest }
}

fn close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-8 * expected.abs().max(1e-3), "{what}: {found} for {expected}");
}

fn ranks(values: &[f64]) -> Vec<f64> {
    values
        .iter()
        .map(|own| {
            let below = values.iter().filter(|other| *other < own).count() as f64;
            let same = values.iter().filter(|other| *other == own).count() as f64;
            below + (same + 1.0) / 2.0
        })
        .collect()
}

#[test]
fn every_test_is_that_of_least_squares_on_the_measured_cell_lines() {
    for (weighted, general) in [(false, false), (true, false), (false, true), (true, true)] {
        let prepared = Prepared::new(weighted, general);
        let tests = prepared.scan();
        let mut checked = 0;
        for (feature, partner, test) in tests.iter() {
            if test.state != TestState::Tested {
                continue;
            }
            let values = prepared.features.values(feature);
            let cells: Vec<usize> =
                prepared.responses.measured(partner).filter(|cell| !values[*cell].is_nan()).collect();
            let tested = &prepared.features.features()[feature];
            let (mut columns, y, w) = prepared.whole(partner, &cells, tested.kind != "tissue");
            let known: Vec<f64> = values.iter().filter(|v| !v.is_nan()).map(|v| f64::from(*v)).collect();
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            let deviation =
                (known.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / known.len() as f64).sqrt();
            let scale = if tested.form.has_carriers() { 1.0 } else { deviation };
            columns.push(cells.iter().map(|cell| f64::from(values[*cell]) / scale).collect());
            let fit = fitted(&columns, &y, &w);
            let what = format!("{} {}, drug {partner}", tested.kind, tested.name);
            assert_eq!(tests.size(feature, partner), (cells.len() as u32, fit.df as u32), "{what}");
            close(test.effect, fit.effect, &what);
            close(test.t, fit.t, &what);
            close(test.standard_error(), fit.effect / fit.t, &what);
            close(test.p, t_probability(fit.t, fit.df), &what);
            close(test.robust_p, t_probability(fit.robust_t, fit.df), &what);
            let of_ranks = fitted(&columns, &ranks(&y), &w);
            close(test.rank_p, t_probability(of_ranks.t, fit.df), &what);
            if tested.form.has_carriers() {
                let group = |level: f32| -> Vec<f64> {
                    cells
                        .iter()
                        .filter(|cell| values[**cell] == level)
                        .map(|cell| prepared.responses.values(partner)[*cell])
                        .collect()
                };
                let moments = |of: &[f64]| {
                    let mean = of.iter().sum::<f64>() / of.len() as f64;
                    let square: f64 = of.iter().map(|v| (v - mean).powi(2)).sum();
                    (mean, (square / (of.len() - 1) as f64).sqrt())
                };
                let (with, without) = (group(1.0), group(0.0));
                assert_eq!(test.carriers as usize, with.len());
                let ((a, sa), (b, sb)) = (moments(&with), moments(&without));
                let near = |found: f64, expected: f64| {
                    assert!((found - expected).abs() < 1e-4, "{what}: {found} for {expected}")
                };
                near(f64::from(test.difference), a - b);
                let pooled = (((with.len() - 1) as f64 * sa * sa + (without.len() - 1) as f64 * sb * sb)
                    / (cells.len() - 2) as f64)
                    .sqrt();
                near(test.cohens_d(cells.len() as u32), (a - b) / pooled);
                near(test.glass_delta()[0], (a - b) / sa);
                near(test.glass_delta()[1], (a - b) / sb);
            }
            checked += 1;
        }
        assert!(checked > 50, "{checked}");
    }
}

#[test]
fn a_category_is_tested_as_a_whole() {
    let prepared = Prepared::new(true, false);
    let options = ScanOptions::default();
    let found =
        scan_categories(&prepared.responses, &prepared.features, &prepared.covariates, &options, &Silent)
            .unwrap();
    assert_eq!(found.len(), DRUGS);
    for test in found {
        let cells: Vec<usize> = prepared.responses.measured(test.partner).collect();
        let (small, y, w) = prepared.whole(test.partner, &cells, false);
        let (large, _, _) = prepared.whole(test.partner, &cells, true);
        let (small, large) = (fitted(&small, &y, &w), fitted(&large, &y, &w));
        let free = (TISSUES - 1) as f64;
        assert_eq!(test.df, [3, large.df as u32]);
        close(test.f, ((small.rest - large.rest) / free) / (large.rest / large.df), "F");
        close(test.explained, 1.0 - large.rest / small.rest, "share");
    }
}

#[test]
fn an_interaction_compares_slopes_of_tissues() {
    let prepared = Prepared::new(false, true);
    let detail = Detail::new(&prepared.responses, &prepared.features, &prepared.covariates);
    let feature = prepared.features.position("events", "E0").unwrap();
    let found = detail.interaction(feature, 0).unwrap();
    let values = prepared.features.values(feature);
    let cells: Vec<usize> = prepared.responses.measured(0).collect();
    let (mut columns, y, w) = prepared.whole(0, &cells, true);
    let x = |keep: &dyn Fn(usize) -> bool| -> Vec<f64> {
        cells.iter().map(|cell| if keep(*cell) { f64::from(values[*cell]) } else { 0.0 }).collect()
    };
    columns.push(x(&|_| true));
    let one = fitted(&columns, &y, &w);
    columns.extend((1..TISSUES).map(|level| x(&|cell| tissue(cell) == level)));
    let many = fitted(&columns, &y, &w);
    assert_eq!(found.df, [3, many.df as u32]);
    close(found.f, ((one.rest - many.rest) / 3.0) / (many.rest / many.df), "F");
}

#[test]
fn permutations_agree_with_t_where_errors_are_alike() {
    let prepared = Prepared::new(false, false);
    let tests = prepared.scan();
    let detail = Detail::new(&prepared.responses, &prepared.features, &prepared.covariates);
    let rows: Vec<usize> = (0..GENES + EVENTS).collect();
    for partner in 0..DRUGS {
        let found = detail.permutation_p(&rows, partner, 4000, Seed::new(3));
        for (row, p) in rows.iter().zip(found) {
            let test = tests.get(*row, partner);
            let expected = test.p;
            assert!(
                (p - expected).abs() < 0.02 + 0.4 * expected,
                "feature {row}, drug {partner}: {p} for {expected}"
            );
        }
    }
}

#[test]
fn what_cannot_be_tested_says_why() {
    let noise_of = |cell: usize, at: usize| noise(cell, 2_000 + at) as f32;
    let names = |prefix: &str, count: usize| (0..count).map(|at| format!("{prefix}{at}")).collect::<Vec<_>>();
    let cells = 40;
    let tissue = |cell: usize| if cell < 20 { "a" } else { "b" };
    let labels: Vec<Option<&str>> = (0..cells).map(|cell| Some(tissue(cell))).collect();
    // The second number is constant, the third follows the tissue; one event has one carrier.
    let genes = Array2::from_shape_fn((cells, 3), |(cell, gene)| match gene {
        0 => noise_of(cell, 0),
        1 => 2.0,
        _ => {
            if cell < 20 {
                1.0
            } else {
                4.0
            }
        }
    });
    let events = BitColumns::from_fn(cells, 1, |cell, _| Some(cell == 3));
    let table = EntityTable::new(names("cell ", cells), "cell line")
        .unwrap()
        .with_block(FeatureBlock::new("expression", names("G", 3), FeatureValues::real(genes)).unwrap())
        .unwrap()
        .with_block(FeatureBlock::new("events", ["E0"], FeatureValues::Binary(events)).unwrap())
        .unwrap()
        .with_group("tissue", Category::from_labels(&labels).unwrap())
        .unwrap();
    let drugs = EntityTable::new(names("drug ", 3), "drug").unwrap();
    // The first drug is complete, the second was measured in six cell lines, the third follows the tissue.
    let pairs: Vec<(usize, usize)> = (0..cells)
        .flat_map(|cell| [(cell, 0), (cell, 1), (cell, 2)])
        .filter(|(cell, drug)| *drug != 1 || *cell < 6)
        .collect();
    let value = |(cell, drug): &(usize, usize)| match drug {
        2 => {
            if *cell < 20 {
                1.0
            } else {
                2.0
            }
        }
        _ => noise_of(*cell, 10 + drug),
    };
    let sides = vec![
        pairs.iter().map(|pair| pair.0 as u32).collect(),
        pairs.iter().map(|pair| pair.1 as u32).collect(),
    ];
    let responses = Responses::new(sides, pairs.iter().map(value).collect(), None).unwrap();
    let screen =
        Screen::new("LN_IC50", vec![table, drugs], vec![Side::cell_line(0), Side::drug(1)], responses)
            .unwrap();
    let responses = ResponseMatrix::new(&screen);
    let features = FeatureMatrix::new(screen.table(0), &responses.cells, &[]);
    let covariates = Covariates::none().with_category(
        "tissue",
        screen.table(0).group("tissue").unwrap(),
        &responses.cells,
    );
    let tests = scan(&responses, &features, &covariates, &ScanOptions::default(), &Silent).unwrap();
    let state = |name: &str, partner: usize| {
        let kind = if name.starts_with('G') {
            "expression"
        } else if name == "E0" {
            "events"
        } else {
            "tissue"
        };
        tests.get(features.position(kind, name).unwrap(), partner).state
    };
    assert_eq!(state("G0", 0), TestState::Tested);
    assert_eq!(state("G1", 0), TestState::FeatureDetermined);
    assert_eq!(state("G2", 0), TestState::FeatureDetermined);
    assert_eq!(state("E0", 0), TestState::FewCarriers);
    assert_eq!(state("G0", 1), TestState::FewCells);
    assert_eq!(state("G0", 2), TestState::ResponsesExplained);
    // A tissue is tested without itself among the covariates.
    assert_eq!(state("a", 0), TestState::Tested);
    for (_, _, test) in tests.iter() {
        assert_eq!(test.state == TestState::Tested, test.p.is_finite(), "{test:?}");
    }
}
