//! How close entities are to those of the training.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use halfmax_core::{
    BitColumns, EntityTable, FeatureBlock, FeatureSpace, FeatureValues, FitContext, FittedModel, Model,
    Responses, Screen, Seed, Side, Silent, StoredModel, Tensor, ValidationGroup,
};
use halfmax_kernel::{Applicability, FittedKernel, KernelParams};
use ndarray::Array2;

const CELLS: usize = 60;
const DRUGS: usize = 30;
const BITS: usize = 24;

fn noise(at: usize) -> f32 {
    (Seed::new(5).derive(at as u64).value() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
}

fn cells(names: &[&str], genes: Array2<f32>) -> EntityTable {
    let block = FeatureBlock::new("expression", ["A", "B", "C"], FeatureValues::real(genes)).unwrap();
    EntityTable::new(names.iter().copied(), "cell line").unwrap().with_block(block).unwrap()
}

fn drugs(names: &[String], bit: impl Fn(usize, usize) -> Option<bool>) -> EntityTable {
    let bits = FeatureValues::Binary(BitColumns::from_fn(names.len(), BITS, bit));
    let bits = FeatureBlock::new("fingerprint", (0..BITS).map(|bit| format!("bit {bit}")), bits).unwrap();
    EntityTable::new(names.iter().map(String::as_str), "drug").unwrap().with_block(bits).unwrap()
}

fn screen() -> Screen {
    let names: Vec<String> = (0..CELLS).map(|cell| format!("cell {cell}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let genes = Array2::from_shape_fn((CELLS, 3), |(cell, gene)| noise(cell * 3 + gene));
    let drug_names: Vec<String> = (0..DRUGS).map(|drug| format!("drug {drug}")).collect();
    let pairs: Vec<(u32, u32)> =
        (0..CELLS as u32).flat_map(|cell| (0..DRUGS as u32).map(move |drug| (cell, drug))).collect();
    let sides = vec![pairs.iter().map(|p| p.0).collect(), pairs.iter().map(|p| p.1).collect()];
    let values = pairs.iter().map(|(cell, drug)| genes[[*cell as usize, 0]] + *drug as f32).collect();
    let tables =
        vec![cells(&names, genes), drugs(&drug_names, |d, b| Some(noise(1000 + d * BITS + b) > 0.3))];
    let responses = Responses::new(sides, values, None).unwrap();
    Screen::new("LN_IC50", tables, vec![Side::cell_line(0), Side::drug(1)], responses).unwrap()
}

fn fitted(screen: &Screen) -> FittedKernel {
    let validation = ValidationGroup::Entity(0);
    let context = FitContext::new(Seed::new(1), &Silent, validation);
    KernelParams::default().check().unwrap().fit(&screen.all(), &context).unwrap()
}

#[test]
fn strangers_are_ranked_by_their_distance_to_the_nearest_training_entities() {
    let screen = screen();
    let applicability = Applicability::new(&screen.all(), &fitted(&screen)).unwrap();
    let bit = |drug: usize, bit: usize| noise(1000 + drug * BITS + bit) > 0.3;
    // A copy under another name, one bit off, half of the bits off, the opposite, unknown.
    let names = ["drug 4", "copy", "near", "far", "opposite", "unknown"].map(str::to_owned);
    let stranger = |drug: usize, at: usize| match drug {
        0 | 1 => Some(bit(4, at)),
        2 => Some(bit(4, at) != (at == 3)),
        3 => Some(bit(4, at) != (at.is_multiple_of(2))),
        4 => Some(!bit(4, at)),
        _ => None,
    };
    let found = applicability.closeness(1, &drugs(&names, stranger)).unwrap();
    let similarity = |a: &dyn Fn(usize) -> bool, b: &dyn Fn(usize) -> bool| {
        let both = (0..BITS).filter(|at| a(*at) && b(*at)).count() as f64;
        both / (0..BITS).filter(|at| a(*at) || b(*at)).count() as f64
    };
    let reach = |own: &dyn Fn(usize) -> bool, without: usize| {
        let training = (0..DRUGS).filter(|drug| *drug != without);
        let mut all: Vec<f64> =
            training.map(|drug| (2.0 - 2.0 * similarity(own, &|at| bit(drug, at))).sqrt()).collect();
        all.sort_by(f64::total_cmp);
        all[..5].iter().sum::<f64>() / 5.0
    };
    let of_training: Vec<f64> = (0..DRUGS).map(|drug| reach(&|at| bit(drug, at), drug)).collect();
    for drug in 1..5 {
        let own = reach(&|at| stranger(drug, at).unwrap(), usize::MAX);
        let expected = of_training.iter().filter(|other| **other >= own - 1e-6).count() as f32 / DRUGS as f32;
        assert!(
            (found[drug] - expected).abs() < 1e-6,
            "{}: {}, expected {expected}",
            names[drug],
            found[drug]
        );
    }
    assert_eq!((found[0], found[5]), (1.0, 0.0));
    assert!(found[1] >= found[2] && found[3] > found[4] && found[4] < 0.5, "{found:?}");
}

#[test]
fn a_cell_line_far_from_all_others_is_out_of_the_domain() {
    let screen = screen();
    let applicability = Applicability::new(&screen.all(), &fitted(&screen)).unwrap();
    let genes =
        ndarray::array![[0.0, 0.1, -0.1], [1.5, -1.5, 1.5], [30.0, -30.0, 30.0], [f32::NAN, f32::NAN, 0.2]];
    let found = applicability.closeness(0, &cells(&["middle", "edge", "far", "unknown"], genes)).unwrap();
    assert!(found[0] > 0.25 && found[0] > found[1], "{found:?}");
    assert_eq!(found[2..], [0.0, 0.0]);
    // A model that uses no features of the cell lines knows only those of its training.
    struct Bare(FittedKernel);
    impl FittedModel for Bare {
        fn family(&self) -> &'static str {
            "bare"
        }
        fn predict(&self, query: &halfmax_core::Query) -> halfmax_core::Result<Vec<f32>> {
            self.0.predict(query)
        }
        fn sides(&self) -> usize {
            2
        }
        fn space(&self, _side: usize) -> &FeatureSpace {
            FeatureSpace::none()
        }
        fn stored(&self) -> halfmax_core::Result<StoredModel> {
            self.0.stored()
        }
    }
    let bare = Applicability::new(&screen.all(), &Bare(fitted(&screen))).unwrap();
    let two = EntityTable::new(["cell 7", "cell x"], "cell line").unwrap();
    assert_eq!(bare.closeness(0, &two).unwrap(), [1.0, 0.0]);
}

#[test]
fn it_is_stored_exactly_and_damage_is_refused() {
    let screen = screen();
    let applicability = Applicability::new(&screen.all(), &fitted(&screen)).unwrap();
    let parts = applicability.stored().unwrap();
    let text = parts.description.to_string();
    let stored =
        StoredModel { description: serde_json::from_str(&text).unwrap(), tensors: parts.tensors.clone() };
    assert_eq!(Applicability::from_stored(&stored).unwrap(), applicability);
    for name in parts.tensors.keys() {
        let mut without = stored.clone();
        without.tensors.remove(name);
        assert!(Applicability::from_stored(&without).is_err(), "without {name}");
        let mut short = stored.clone();
        match short.tensors.get_mut(name) {
            Some(Tensor::F32(values)) => values.truncate(values.len() - 1),
            Some(Tensor::U8(values)) => values.truncate(values.len() - 1),
            Some(Tensor::F64(values)) => values.truncate(values.len() - 1),
            other => panic!("{other:?}"),
        }
        assert!(Applicability::from_stored(&short).is_err(), "short {name}");
    }
    let mut empty = stored.clone();
    empty.description = serde_json::json!([]);
    // Arrays that no side has.
    assert!(Applicability::from_stored(&empty).is_err());
    empty.tensors.clear();
    assert!(Applicability::from_stored(&empty).unwrap().closeness(0, screen.table(0)).is_err());
}
