//! Any report can be rendered, and no text in it becomes markup.

use halfmax_report::{
    Calibration, Coverage, Density, Drug, DrugFinding, DrugMechanism, DrugPerformance, Estimate, Feature,
    GroupImportance, HeatCell, HeatGroup, HeatMap, HeatRow, Importance, Leaderboard, Mechanism, Metric,
    MetricRank, ModelScores, Notes, Reference, Report, ResponseStrip, Sample, SampleDrug, Spread, StripGroup,
    Volcano, render,
};
use proptest::prelude::*;

/// Any number, including NaN and infinities.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(f64::MAX), Just(0.0), -1.0..1.0]
}

/// Hostile text.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        Just("<script>alert(1)</script>".to_string()),
        Just("\"><img src=x onerror=alert(1)>".to_string()),
        Just("</style></title>]]>-->".to_string()),
        Just("\u{202e}\u{2066}&amp;'".to_string()),
        Just("javascript:alert(1)".to_string()),
        Just(String::new()),
    ]
}

fn drug(name: String, numbers: &[f64], index: usize) -> Drug {
    let at = |place: usize| numbers[place % numbers.len()];
    let spread =
        Spread { min: at(0), q05: at(1), q25: at(2), q50: at(3), q75: at(4), q95: at(5), max: at(6) };
    Drug {
        name: name.clone(),
        performance: Some(DrugPerformance {
            n: index,
            pearson: Some(at(0)),
            rmse: Some(at(1)),
            r2: Some(at(2)),
            ceiling: Some(at(3)),
        }),
        features: vec![Feature {
            name: name.clone(),
            mean_abs: at(0),
            low: Some(spread),
            high: Some(spread),
            ..Feature::default()
        }],
        mechanisms: vec![DrugMechanism {
            mechanism: index,
            p: Some(at(1)),
            genes: vec![name.clone()],
            ..Default::default()
        }],
        sentences: vec![name.clone()],
        findings: vec![DrugFinding {
            name: name.clone(),
            members: vec![name.clone()],
            mechanisms: vec![index],
            effect: Some(at(2)),
            p: Some(at(3)),
            ..DrugFinding::default()
        }],
        strips: vec![ResponseStrip {
            title: name.clone(),
            groups: vec![StripGroup {
                label: name.clone(),
                measured: numbers.to_vec(),
                predicted: numbers.to_vec(),
                carries: true,
            }],
            note: name.clone(),
        }],
        volcano: Volcano {
            points: vec![(at(0), at(1), name.clone()), (at(2), at(3), String::new())],
            threshold: Some(at(4)),
            note: name,
        },
        ..Drug::default()
    }
}

fn report(texts: &[String], numbers: &[f64], index: usize) -> Report {
    let text = |place: usize| texts[place % texts.len()].clone();
    let at = |place: usize| numbers[place % numbers.len()];
    let estimate = Estimate { value: at(0), interval: Some((at(1), at(2))) };
    let reference = Reference { text: text(1), url: text(2) };
    let cell = HeatCell { value: at(3), q: Some(at(4)), ..HeatCell::default() };
    Report {
        title: text(0),
        subtitle: text(1),
        response: text(2),
        samples: vec![Sample {
            name: text(3),
            fails: vec![SampleDrug {
                drug: index,
                predicted: estimate,
                ic50_um: Some(at(5)),
                dominant: Some(index),
                ..SampleDrug::default()
            }],
            ..Sample::default()
        }],
        leaderboard: Some(Leaderboard {
            metrics: vec![Metric { rank: MetricRank::Chief, ceiling: Some(at(4)), ..Metric::default() }],
            models: vec![
                ModelScores { name: text(0), scores: vec![Some(estimate)], ..Default::default() },
                ModelScores::default(),
            ],
            ..Leaderboard::default()
        }),
        densities: vec![Density {
            bins: index,
            counts: vec![1, u32::MAX, 0],
            low: at(0),
            high: at(1),
            ..Default::default()
        }],
        calibrations: vec![Calibration {
            points: vec![Coverage { nominal: at(0), held: at(1), width: Some(at(2)) }],
            ..Calibration::default()
        }],
        importances: vec![Importance {
            groups: vec![GroupImportance { name: text(1), value: estimate }],
            ..Importance::default()
        }],
        drugs: texts.iter().map(|name| drug(name.clone(), numbers, index)).collect(),
        heat_map: Some(HeatMap {
            mechanisms: vec![0, index],
            groups: vec![HeatGroup {
                rows: vec![HeatRow { drug: index, cells: vec![Some(cell); 3] }],
                name: text(0),
            }],
            ..HeatMap::default()
        }),
        mechanisms: vec![Mechanism { id: text(0), references: vec![reference], ..Mechanism::default() }],
        notes: Notes { configuration: text(4), ..Notes::default() },
        ..Report::default()
    }
}

/// The names of the opening elements, in order.
fn elements(html: &str) -> Vec<&str> {
    let names = html.split('<').skip(1);
    names.map(|rest| rest.split(|end: char| !end.is_ascii_alphanumeric()).next().unwrap_or("")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_report_can_be_shown(
        texts in prop::collection::vec(text(), 1..5),
        numbers in prop::collection::vec(number(), 1..8),
        index in prop_oneof![0usize..4, Just(usize::MAX)],
    ) {
        let html = render(&report(&texts, &numbers, index));
        let body = html.split_once("</head>").unwrap().1;
        prop_assert!(!elements(body).iter().any(|name| ["script", "img", "style", "iframe"].contains(name)));
        prop_assert!(!body.contains("=NaN") && !body.contains("=\"NaN") && !body.contains("=inf"));
        prop_assert!(!body.contains(" href=\"javascript:"));
        let turns = ['\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{2066}'];
        prop_assert!(!body.contains(turns), "text is turned around");
    }
}
