//! Comparisons of the curves of two cell lines, drugs or experiments.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use halfmax_core::{Error, Progress, Result};
use halfmax_data::{CurveKey, counted};
use halfmax_dose::{Comparison, CurveFit, Difference};

use super::table::ResultTable;

/// The column of the two values to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompareColumn {
    /// Two cell lines.
    CellLine,
    /// Two drugs.
    Drug,
    /// Two experiments, each with its own curves.
    Experiment,
}

impl CompareColumn {
    const ALL: [Self; 3] = [Self::CellLine, Self::Drug, Self::Experiment];

    /// The name of the column.
    pub fn name(self) -> &'static str {
        match self {
            Self::CellLine => "cell_line",
            Self::Drug => "drug",
            Self::Experiment => "experiment",
        }
    }

    fn value(self, key: &CurveKey) -> &str {
        match self {
            Self::CellLine => &key.cell_line,
            Self::Drug => &key.drug,
            Self::Experiment => &key.experiment,
        }
    }

    /// The values of the other columns.
    fn other_values(self, key: &CurveKey) -> [String; 3] {
        Self::ALL.map(|column| if column == self { String::new() } else { column.value(key).to_owned() })
    }
}

/// A comparison of two values of a column.
///
/// ```
/// use halfmax::dose::{CompareColumn, CurvePair};
///
/// let pair: CurvePair = "cell_line=A549,MCF7".parse()?;
/// assert_eq!((pair.column, pair.values), (CompareColumn::CellLine, ["A549".to_owned(), "MCF7".to_owned()]));
/// assert!("cell_line=A549".parse::<CurvePair>().is_err());
/// # Ok::<(), halfmax::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurvePair {
    /// The column.
    pub column: CompareColumn,
    /// The two values, which are different.
    pub values: [String; 2],
}

impl FromStr for CurvePair {
    type Err = Error;

    /// Parses `cell_line=A,B`.
    fn from_str(text: &str) -> Result<Self> {
        let expected = || Error::config("expected cell_line=A,B, drug=A,B or experiment=A,B");
        let (column, values) = text.split_once('=').ok_or_else(expected)?;
        let column = CompareColumn::ALL.into_iter().find(|known| known.name() == column.trim());
        let (a, b) = values.split_once(',').ok_or_else(expected)?;
        let values = [a.trim().to_owned(), b.trim().to_owned()];
        if values[0] == values[1] || values.iter().any(String::is_empty) {
            return Err(Error::config("expected two different names: cell_line=A,B"));
        }
        Ok(Self { column: column.ok_or_else(expected)?, values })
    }
}

impl CurvePair {
    /// Whether the curves have both values.
    ///
    /// # Errors
    /// If no curve has one of the values, or the curves of the two values share no other name.
    pub(super) fn check_keys<K: Iterator<Item = CurveKey>>(&self, keys: impl Fn() -> K) -> Result<()> {
        let column = self.column;
        for value in &self.values {
            if !keys().any(|key| column.value(&key) == value) {
                let expected =
                    format!("a {} of the file, as the column {0} of the curves names it", column.name());
                return Err(Error::parameter("compare", value, &expected));
            }
        }
        let [a, b] = &self.values;
        let partners = |value: &str| -> HashSet<[String; 3]> {
            keys().filter(|key| column.value(key) == value).map(|key| column.other_values(&key)).collect()
        };
        if partners(a).is_disjoint(&partners(b)) {
            return Err(Error::data(format!("compare: {a} and {b} share no drug, cell line or experiment"))
                .with_help("name two that share drugs or cell lines"));
        }
        Ok(())
    }
}

/// The curves to compare, kept during the fits.
pub(super) struct Comparisons {
    pair: CurvePair,
    curves: [Vec<(CurveKey, CurveFit)>; 2],
}

/// A curve of the first value, and the curve of the second value with the same other names.
type Compared<'a> = (&'a CurveKey, &'a CurveFit, &'a CurveFit);

impl Comparisons {
    /// Comparisons without curves yet.
    pub fn new(pair: CurvePair) -> Self {
        Self { pair, curves: Default::default() }
    }

    /// Keeps the curves of the two values.
    pub fn keep(&mut self, keys: &[CurveKey], fits: &[CurveFit]) {
        for (key, fit) in keys.iter().zip(fits) {
            let value = self.pair.column.value(key);
            if let Some(at) = self.pair.values.iter().position(|own| own == value) {
                self.curves[at].push((key.clone(), fit.clone()));
            }
        }
    }

    /// Compares every curve of the first value with its partner of the second, and notes the number of curves without a partner.
    pub fn table(&self, progress: &dyn Progress) -> ResultTable {
        let column = self.pair.column;
        let [first, second] = &self.curves;
        let others: HashMap<[String; 3], &CurveFit> =
            second.iter().map(|(key, fit)| (column.other_values(key), fit)).collect();
        let pairs: Vec<Compared> = first
            .iter()
            .filter_map(|(key, fit)| Some((key, fit, *others.get(&column.other_values(key))?)))
            .collect();
        let alone = first.len() + second.len() - 2 * pairs.len();
        if alone > 0 {
            progress.note(&format!("compare: left out, without a partner: {}", counted(alone, "curve")));
        }
        self.pair.columns(&pairs)
    }
}

impl CurvePair {
    /// One row per pair of curves.
    fn columns(&self, pairs: &[Compared]) -> ResultTable {
        let mut table = self.name_columns(pairs);
        type PositionName = fn(&CurveFit) -> &'static str;
        let positions: [(&str, PositionName); 2] = [
            ("ic50_position", |fit| fit.ic50_position.name()),
            ("ec50_position", |fit| fit.ec50_position.name()),
        ];
        for (name, position) in positions {
            table.add_texts(format!("{name}_a"), pairs.iter().map(|(_, a, _)| position(a)));
            table.add_texts(format!("{name}_b"), pairs.iter().map(|(_, _, b)| position(b)));
        }
        table.add_texts("flags_a", pairs.iter().map(|(_, a, _)| a.flags.to_string()));
        table.add_texts("flags_b", pairs.iter().map(|(_, _, b)| b.flags.to_string()));
        let compared: Vec<Comparison> = pairs.iter().map(|(_, a, b)| a.compare(b)).collect();
        type Ratio = fn(&Comparison) -> Difference;
        let ratios: [(&str, Ratio); 2] =
            [("ic50_ratio", |found| found.ic50_ratio), ("ec50_ratio", |found| found.ec50_ratio)];
        for (name, ratio) in ratios {
            let mut part = |end: &str, value: fn(Difference) -> f64| {
                table.add_numbers(format!("{name}{end}"), compared.iter().map(|found| value(ratio(found))));
            };
            part("", |found| found.ratio);
            part("_lower", |found| found.lower);
            part("_upper", |found| found.upper);
            part("_p", |found| found.p_value);
        }
        table.add_numbers("abc", compared.iter().map(|found| found.abc));
        table
    }

    /// The columns that identify a comparison: the names that both curves share, then the two values.
    fn name_columns(&self, pairs: &[Compared]) -> ResultTable {
        let mut table = ResultTable::default();
        for column in CompareColumn::ALL.into_iter().filter(|column| *column != self.column) {
            if pairs.iter().any(|(key, _, _)| !column.value(key).is_empty()) {
                table.add_texts(column.name(), pairs.iter().map(|(key, _, _)| column.value(key)));
            }
        }
        for (end, value) in ["a", "b"].into_iter().zip(&self.values) {
            let name = format!("{}_{end}", self.column.name());
            table.add_texts(name, pairs.iter().map(|_| value.as_str()));
        }
        table
    }
}
