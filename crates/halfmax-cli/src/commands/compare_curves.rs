//! Comparisons of the curves of two cell lines, drugs or experiments.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use halfmax_core::{Error, Result};
use halfmax_data::{CurveKey, OutputColumn, OutputSet, TableWriter, counted};
use halfmax_dose::{Comparison, CurveFit, Difference};

use crate::terminal::Terminal;

/// A column whose values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareColumn {
    CellLine,
    Drug,
    Experiment,
}

impl CompareColumn {
    const ALL: [Self; 3] = [Self::CellLine, Self::Drug, Self::Experiment];

    fn name(self) -> &'static str {
        match self {
            Self::CellLine => "cell_line",
            Self::Drug => "drug",
            Self::Experiment => "experiment",
        }
    }

    fn of(self, key: &CurveKey) -> &str {
        match self {
            Self::CellLine => &key.cell_line,
            Self::Drug => &key.drug,
            Self::Experiment => &key.experiment,
        }
    }

    /// The other names of a curve.
    fn rest(self, key: &CurveKey) -> [String; 3] {
        Self::ALL.map(|of| if of == self { String::new() } else { of.of(key).to_owned() })
    }
}

/// What is compared: `COLUMN=A,B`.
#[derive(Clone, Debug)]
pub struct Pair {
    pub column: CompareColumn,
    values: [String; 2],
}

impl Pair {
    /// Takes `cell_line=A,B` apart.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let expected = || "expected cell_line=A,B, drug=A,B or experiment=A,B".to_owned();
        let (column, values) = text.split_once('=').ok_or_else(expected)?;
        let column = CompareColumn::ALL.into_iter().find(|known| known.name() == column.trim());
        let (a, b) = values.split_once(',').ok_or_else(expected)?;
        let values = [a.trim().to_owned(), b.trim().to_owned()];
        if values[0] == values[1] || values.iter().any(String::is_empty) {
            return Err("expected two different names: cell_line=A,B".to_owned());
        }
        Ok(Self { column: column.ok_or_else(expected)?, values })
    }
}

/// Curves to be compared, as they are fitted, and where the comparisons go.
pub struct Comparisons {
    pair: Pair,
    writer: TableWriter,
    curves: [Vec<(CurveKey, CurveFit)>; 2],
}

impl Comparisons {
    /// Creates the file of the comparisons.
    pub fn create((pair, out): (&Pair, &PathBuf)) -> Result<Self> {
        Ok(Self { pair: pair.clone(), writer: TableWriter::create(out)?, curves: Default::default() })
    }

    /// Whether the curves have both names.
    ///
    /// # Errors
    /// If one of them is the name of no curve, or the two have nothing else in common.
    pub fn check<K: Iterator<Item = CurveKey>>(&self, keys: impl Fn() -> K) -> Result<()> {
        let column = self.pair.column;
        for value in &self.pair.values {
            if !keys().any(|key| column.of(&key) == value) {
                let expected =
                    format!("a {} of the file, as the column {0} of the curves names it", column.name());
                return Err(Error::parameter("--compare", value, &expected));
            }
        }
        let [a, b] = &self.pair.values;
        let of = |value: &str| -> HashSet<[String; 3]> {
            keys().filter(|key| column.of(key) == value).map(|key| column.rest(&key)).collect()
        };
        if of(a).is_disjoint(&of(b)) {
            return Err(Error::data(format!(
                "--compare: {a} and {b} share no drug, cell line or experiment"
            ))
            .help("name two that were measured with the same drugs, or in the same cell lines"));
        }
        Ok(())
    }

    /// Keeps the curves of the two.
    pub fn keep(&mut self, keys: &[CurveKey], fits: &[CurveFit]) {
        for (key, fit) in keys.iter().zip(fits) {
            let value = self.pair.column.of(key);
            if let Some(at) = self.pair.values.iter().position(|own| own == value) {
                self.curves[at].push((key.clone(), fit.clone()));
            }
        }
    }

    /// Compares every curve of the first with that of the second whose other names are the same, writes the table, and says what has no partner. Returns
    /// the number of comparisons.
    pub fn finish(mut self, files: &OutputSet, terminal: Terminal) -> Result<usize> {
        let column = self.pair.column;
        let rest = |key: &CurveKey| column.rest(key);
        let [first, second] = &self.curves;
        let others: HashMap<[String; 3], &CurveFit> =
            second.iter().map(|(key, fit)| (rest(key), fit)).collect();
        let pairs: Vec<(&CurveKey, &CurveFit, &CurveFit)> =
            first.iter().filter_map(|(key, fit)| Some((key, fit, *others.get(&rest(key))?))).collect();
        let alone = first.len() + second.len() - 2 * pairs.len();
        if alone > 0 {
            terminal
                .note(&format!("--compare: without a partner, and left out: {}", counted(alone, "curve")));
        }
        write(column, &self.pair.values, &pairs, &mut self.writer)?;
        self.writer.finish_into(files)?;
        Ok(pairs.len())
    }
}

fn write(
    column: CompareColumn,
    values: &[String; 2],
    pairs: &[(&CurveKey, &CurveFit, &CurveFit)],
    writer: &mut TableWriter,
) -> Result<()> {
    let compared: Vec<Comparison> = pairs.iter().map(|(_, a, b)| a.compare(b)).collect();
    let same = |value: &str| vec![value.to_owned(); pairs.len()];
    let mut texts: Vec<(String, Vec<String>)> = Vec::new();
    for of in CompareColumn::ALL {
        let all: Vec<String> = pairs.iter().map(|(key, _, _)| of.of(key).to_owned()).collect();
        if of != column && all.iter().any(|value| !value.is_empty()) {
            texts.push((of.name().to_owned(), all));
        }
    }
    for (end, value) in ["a", "b"].into_iter().zip(values) {
        texts.push((format!("{}_{end}", column.name()), same(value)));
    }
    type Position = fn(&CurveFit) -> &'static str;
    let positions: [(&str, Position); 2] = [
        ("ic50_position", |fit| fit.ic50_position.name()),
        ("ec50_position", |fit| fit.ec50_position.name()),
    ];
    for (name, position) in positions {
        texts.push((format!("{name}_a"), pairs.iter().map(|(_, a, _)| position(a).to_owned()).collect()));
        texts.push((format!("{name}_b"), pairs.iter().map(|(_, _, b)| position(b).to_owned()).collect()));
    }
    let mut numbers: Vec<(String, Vec<f64>)> = Vec::new();
    for (name, ratio) in [
        ("ic50_ratio", (|found| found.ic50_ratio) as fn(&Comparison) -> Difference),
        ("ec50_ratio", |found| found.ec50_ratio),
    ] {
        let mut part = |end: &str, of: fn(Difference) -> f64| {
            numbers.push((format!("{name}{end}"), compared.iter().map(|found| of(ratio(found))).collect()));
        };
        part("", |found| found.ratio);
        part("_lower", |found| found.lower);
        part("_upper", |found| found.upper);
        part("_p", |found| found.p_value);
    }
    numbers.push(("abc".to_owned(), compared.iter().map(|found| found.abc).collect()));
    let flags = |fit: &CurveFit| fit.flags.to_string();
    texts.push(("flags_a".to_owned(), pairs.iter().map(|(_, a, _)| flags(a)).collect()));
    texts.push(("flags_b".to_owned(), pairs.iter().map(|(_, _, b)| flags(b)).collect()));
    let texts: Vec<(&str, Vec<&str>)> =
        texts.iter().map(|(name, all)| (name.as_str(), all.iter().map(String::as_str).collect())).collect();
    let mut table: Vec<(&str, OutputColumn)> =
        texts.iter().map(|(name, all)| (*name, OutputColumn::Text(all))).collect();
    table.extend(numbers.iter().map(|(name, all)| (name.as_str(), OutputColumn::F64(all))));
    writer.write(&table)
}
