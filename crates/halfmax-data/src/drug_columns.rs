//! Columns of a drug sheet as custom features: bits, descriptors, targets as columns, strings of bits.

use halfmax_core::{BitColumns, Error, FeatureBlock, FeatureValues, Result, listed};
use ndarray::{Array2, ShapeBuilder};

use crate::drugs::{DrugRow, DrugSheet};
use crate::profile::{Content, IdKind};
use crate::report::FileReport;
use crate::table::RawTable;

/// The kind of blocks of numbers.
const DESCRIPTOR: &str = "descriptor";
/// The kind of blocks of bits.
const BITS: &str = "drug_bits";

/// A column that may be one or several features.
#[derive(Clone, Debug)]
pub(crate) struct OwnColumn {
    name: String,
    values: OwnValues,
}

#[derive(Clone, Debug)]
enum OwnValues {
    /// One number per row; NaN if missing.
    Numbers(Vec<f64>),
    /// One string per row; `None` if missing.
    Bits(Vec<Option<String>>),
}

/// Features by their names, each with one value for every drug.
type Features = Vec<(String, Vec<f64>)>;

/// The columns of a sheet that have no role and hold numbers or strings of bits.
pub(crate) fn own_columns(table: &RawTable, key: usize) -> Result<Vec<OwnColumn>> {
    let mut found = Vec::new();
    for column in (0..table.names().len()).filter(|column| *column != key && !table.is_ignored(*column)) {
        if !table.roles_of_column(column).is_empty() {
            continue;
        }
        let values = match table.content(column) {
            Content::Binary | Content::WholeNumbers | Content::Numbers => {
                OwnValues::Numbers(table.numbers(column, "a number")?.to_vec())
            }
            Content::Ids(IdKind::Bits) => OwnValues::Bits(table.texts(column)?),
            _ => continue,
        };
        found.push(OwnColumn { name: table.names()[column].clone(), values });
    }
    Ok(found)
}

/// The feature blocks of the `wanted` columns. A note names columns that could be features but are not wanted.
///
/// # Errors
/// If a wanted column does not exist, or strings of bits differ in length.
pub(crate) fn own_blocks(
    sheet: &DrugSheet,
    rows: &[Option<&DrugRow>],
    wanted: &[String],
    report: &mut FileReport,
) -> Result<Vec<FeatureBlock>> {
    let own = sheet.own_columns();
    let all = wanted.iter().any(|name| name == "all");
    let is_wanted = |column: &OwnColumn| all || wanted.contains(&column.name);
    if let Some(absent) =
        wanted.iter().find(|name| *name != "all" && own.iter().all(|column| column.name != **name))
    {
        let names: Vec<&str> = own.iter().map(|column| column.name.as_str()).collect();
        return Err(Error::config(format!(
            "data.drug_features.columns names {absent:?}: {} has no such column of numbers or bits; it has {}",
            sheet.file(),
            listed(&names, 8)
        ))
        .with_help("list columns of numbers or bits, or set [\"all\"]"));
    }
    let unused: Vec<&str> =
        own.iter().filter(|column| !is_wanted(column)).map(|column| column.name.as_str()).collect();
    if !unused.is_empty() {
        report.notes.push(format!(
            "unused columns that could be features of drugs: {} (drug_features = {{ columns = [\"all\"] }} uses them)",
            listed(&unused, 5)
        ));
    }
    let (mut numbers, mut bits) = (Features::new(), Features::new());
    for column in own.iter().filter(|column| is_wanted(column)) {
        match &column.values {
            OwnValues::Bits(texts) => bits.extend(expanded(sheet, &column.name, texts, rows)?),
            OwnValues::Numbers(values) => {
                let taken: Vec<f64> =
                    rows.iter().map(|row| row.map_or(f64::NAN, |row| values[row.table_row()])).collect();
                let binary = values.iter().all(|value| value.is_nan() || *value == 0.0 || *value == 1.0);
                let into = if binary { &mut bits } else { &mut numbers };
                into.push((column.name.clone(), taken));
            }
        }
    }
    let mut blocks = Vec::new();
    if !bits.is_empty() {
        let set = BitColumns::from_fn(rows.len(), bits.len(), |drug, bit| {
            let value = bits[bit].1[drug];
            (!value.is_nan()).then_some(value != 0.0)
        });
        blocks.push(FeatureBlock::new(
            BITS,
            bits.into_iter().map(|(name, _)| name),
            FeatureValues::Binary(set),
        )?);
    }
    if !numbers.is_empty() {
        let mut values = Array2::zeros((rows.len(), numbers.len()).f());
        for (at, (_, column)) in numbers.iter().enumerate() {
            column.iter().enumerate().for_each(|(drug, value)| values[[drug, at]] = *value as f32);
        }
        blocks.push(FeatureBlock::new(
            DESCRIPTOR,
            numbers.into_iter().map(|(name, _)| name),
            FeatureValues::real(values),
        )?);
    }
    Ok(blocks)
}

/// A column of strings of bits as one feature for each bit.
fn expanded(
    sheet: &DrugSheet,
    name: &str,
    texts: &[Option<String>],
    rows: &[Option<&DrugRow>],
) -> Result<Features> {
    let taken: Vec<Option<&str>> =
        rows.iter().map(|row| row.and_then(|row| texts[row.table_row()].as_deref())).collect();
    let width = taken.iter().flatten().map(|text| text.len()).max().unwrap_or(0);
    if let Some(other) = taken.iter().flatten().find(|text| text.len() != width) {
        return Err(Error::data(format!(
            "{}: column {name:?}: strings of bits of different lengths, {} and {width}",
            sheet.file(),
            other.len()
        ))
        .with_help("give every drug a string of the same number of bits"));
    }
    let bit = |at: usize| {
        let value = |text: &Option<&str>| {
            text.map_or(f64::NAN, |text| f64::from(u8::from(text.as_bytes()[at] == b'1')))
        };
        (format!("{name}_{}", at + 1), taken.iter().map(value).collect())
    };
    Ok((0..width).map(bit).collect())
}
