//! Features of cell lines from one file: genes, events, mutations, copy numbers and categories.

use std::collections::BTreeMap;
use std::sync::Arc;

use halfmax_core::{
    BitColumns, Category, CellKind, Error, FeatureBlock, FeatureSpace, FeatureValues, KindValues, Result,
    TextColumns, listed,
};
use ndarray::{Array2, ShapeBuilder};
use rayon::prelude::*;

use crate::genes::{ModelGenes, looks_like_date, name_features};
use crate::names::Identified;
use crate::orientation::{Arrangement, Known, Orientation, orientation};
use crate::report::{FileReport, FileShape, range_of};
use crate::roles::Role;
use crate::table::RawTable;

/// The features of one file, one row per cell line.
#[derive(Clone, Debug)]
pub(crate) struct CellFeatures {
    pub ids: Vec<String>,
    pub blocks: Vec<FeatureBlock>,
    pub tissue: Option<Vec<Option<String>>>,
    /// The names of the cell lines in the file.
    pub identified: Identified,
    pub report: FileReport,
}

impl CellFeatures {
    /// Renames features to the symbols of their genes, or to the model's names if a feature space is given.
    pub fn name_genes(&mut self, model: Option<&FeatureSpace>) {
        for block in self.blocks.iter_mut().filter(|block| is_named_by_genes(&block.kind)) {
            let genes = model.map(|space| ModelGenes::of(space, &block.kind));
            let named = name_features(&block.names, genes.as_ref());
            block.names = named.names;
            self.report.notes.extend(named.notes);
        }
    }
}

/// The block of the tissues of cell lines.
pub(crate) const TISSUE: &str = "tissue";

/// The kind whose files hold the texts of a block: "factor", "category".
pub(crate) fn kind_of_texts(block: &str) -> Option<CellKind> {
    CellKind::all().find(|kind| kind.texts().is_some_and(|texts| texts.block == block))
}

/// Whether the features of a block are named by genes. Blocks of unknown kinds are, unless they hold tissues or texts.
fn is_named_by_genes(block: &str) -> bool {
    match CellKind::named(block) {
        Some(kind) => kind.is_named_by_genes(),
        None => block != TISSUE && kind_of_texts(block).is_none(),
    }
}

/// Reads a file of cell-line features of a given kind.
///
/// # Errors
/// If a cell line occurs twice, or a value does not fit the kind.
pub(crate) fn read_cell_features(table: &RawTable, kind: CellKind, known: Known<'_>) -> Result<CellFeatures> {
    let label = table.label();
    read_features_of(table, kind, known).map_err(|error| error.in_file(label))
}

fn read_features_of(table: &RawTable, kind: CellKind, known: Known<'_>) -> Result<CellFeatures> {
    let arrangement = orientation(table, known)?;
    let names = cell_names(table, &arrangement)?;
    let identified = known.lines.identify(&names);
    refuse_repeats(table, &names, &identified)?;
    let rows: Vec<usize> = (0..names.len()).filter(|row| identified.ids[*row].is_some()).collect();
    let ids: Vec<String> = identified.ids.iter().flatten().cloned().collect();
    let orientation = Some(arrangement.orientation.name().to_owned());
    let mut report = FileReport {
        shape: FileShape { orientation, ..FileShape::of(table, kind.name()) },
        ambiguous: identified.ambiguous.keys().cloned().collect(),
        notes: identified.notes(),
        ..FileReport::default()
    };
    note_arrangement(table, &arrangement, &mut report);
    let (blocks, tissue) = match (kind.texts(), arrangement.orientation) {
        (Some(texts), Orientation::CellLinesInRows) => match kind.values() {
            KindValues::Texts => categories(table, &arrangement, texts, &rows, &mut report)?,
            _ => numbers_and_texts(table, &arrangement, kind, texts, &rows)?,
        },
        (_, Orientation::GenesInRows) if kind.values() == KindValues::Texts => {
            return Err(Error::data(format!("{}: categories have cell lines in columns", table.label()))
                .with_help("put each cell line in a row"));
        }
        _ => {
            let (names, values) = matrix(table, &arrangement, kind, &rows, &mut report)?;
            report.range = range_of(values.t().iter().map(|value| f64::from(*value)));
            let (names, values) = match kind.values() {
                KindValues::Numbers { .. } => averaged(table, names, values, &mut report)?,
                KindValues::ZeroOrOne | KindValues::Texts => (names, values),
            };
            (vec![block_of(kind, names, values).map_err(|error| error.with_context(table.label()))?], None)
        }
    };
    report.missing_share = missing_share(&blocks);
    note_range(kind, &mut report);
    Ok(CellFeatures { ids, blocks, tissue, identified, report })
}

/// The names of the cell lines, in the order of the rows or of the columns of values.
pub(crate) fn cell_names(table: &RawTable, arrangement: &Arrangement) -> Result<Vec<Option<String>>> {
    match arrangement.orientation {
        Orientation::CellLinesInRows => table.texts(arrangement.key),
        Orientation::GenesInRows => {
            let name = |column: &usize| table.names()[*column].trim().to_owned();
            Ok(arrangement
                .columns
                .iter()
                .map(|column| Some(name(column)).filter(|name| !name.is_empty()))
                .collect())
        }
    }
}

fn note_arrangement(table: &RawTable, arrangement: &Arrangement, report: &mut FileReport) {
    if arrangement.evidence.contains("neither side") {
        report.notes.push(arrangement.evidence.clone());
    }
    let aside: Vec<&str> =
        arrangement.set_aside.iter().map(|column| table.names()[*column].as_str()).collect();
    if arrangement.orientation == Orientation::GenesInRows && !aside.is_empty() {
        report.notes.push(format!("unused columns that describe the features: {}", listed(&aside, 5)));
    }
}

fn missing_share(blocks: &[FeatureBlock]) -> f64 {
    let cells: f64 = blocks.iter().map(|block| block.len() as f64).sum();
    let missing: f64 = blocks.iter().map(|block| block.missing_share() * block.len() as f64).sum();
    if cells > 0.0 { missing / cells } else { 0.0 }
}

fn note_range(kind: CellKind, report: &mut FileReport) {
    if let (Some(most), Some([_, high])) = (kind.counts_above(), report.range)
        && high > most
    {
        report.notes.push(format!("values up to {high:.0} look like counts: take log2(x + 1)"));
    }
}

fn refuse_repeats(table: &RawTable, names: &[Option<String>], identified: &Identified) -> Result<()> {
    let mut rows: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, id) in names.iter().zip(&identified.ids) {
        if let (Some(name), Some(id)) = (name, id) {
            rows.entry(id).or_default().push(name);
        }
    }
    let repeated: Vec<String> = rows
        .into_iter()
        .filter(|(_, names)| names.len() > 1)
        .map(|(id, names)| format!("{id} (as {})", names.join(", ")))
        .collect();
    if repeated.is_empty() {
        return Ok(());
    }
    Err(Error::data(format!("{}: cell lines occur twice: {}", table.label(), listed(&repeated, 5)))
        .with_help("keep one row of each cell line, or average them"))
}

fn check(table: &RawTable, kind: CellKind, column: usize, values: &[f64]) -> Result<()> {
    let KindValues::Numbers { limit, expected } = kind.values() else {
        let other = values.iter().position(|value| !(value.is_nan() || *value == 0.0 || *value == 1.0));
        return other.map_or(Ok(()), |at| {
            let error = table.bad_value(column, at, values[at], "0 or 1");
            Err(error.with_help(
                "if the file holds numbers besides 0 and 1 (fractions, percentages, counts), set kind = \"expression\"; otherwise correct the value, or leave it empty if it is missing",
            ))
        });
    };
    let beyond = values.iter().position(|value| value.abs() > limit);
    beyond.map_or(Ok(()), |at| Err(table.bad_value(column, at, values[at], expected)))
}

fn expected(kind: CellKind) -> &'static str {
    match kind.values() {
        KindValues::ZeroOrOne => "0 or 1",
        KindValues::Numbers { .. } | KindValues::Texts => "a number",
    }
}

/// Cell lines × features as real numbers, NaN where missing, with the names of the features.
fn matrix(
    table: &RawTable,
    arrangement: &Arrangement,
    kind: CellKind,
    rows: &[usize],
    report: &mut FileReport,
) -> Result<(Vec<String>, Array2<f32>)> {
    let taken = &arrangement.columns;
    if taken.is_empty() {
        return Err(Error::data(format!("{}: has no feature columns", table.label()))
            .with_help("add one column per feature besides the cell lines"));
    }
    let alleles = kind.may_count_alleles() && counts_alleles(table, kind, taken)?;
    if alleles {
        report.notes.push("values of 2 (mutations on both alleles) are read as 1".into());
    }
    let numbers_of = |column: usize| -> Result<Arc<Vec<f64>>> {
        let numbers = table.numbers(column, expected(kind))?;
        let at_most_one = |value: &f64| if *value > 1.0 { 1.0 } else { *value };
        Ok(if alleles { Arc::new(numbers.iter().map(at_most_one).collect()) } else { numbers })
    };
    if arrangement.orientation == Orientation::CellLinesInRows {
        let mut values = vec![0.0; rows.len() * taken.len()];
        let fill = |(to, column): (&mut [f32], &usize)| -> Result<()> {
            let numbers = numbers_of(*column)?;
            check(table, kind, *column, &numbers)?;
            to.iter_mut().zip(rows).for_each(|(to, from)| *to = numbers[*from] as f32);
            Ok(())
        };
        let columns = values.par_chunks_mut(rows.len().max(1)).zip(taken);
        // Reports the first unusable column, whatever the order of the threads.
        if let Some(error) = columns.map(fill).find_map_first(Result::err) {
            return Err(error);
        }
        let values = Array2::from_shape_vec((rows.len(), taken.len()).f(), values)
            .map_err(|error| Error::failed(format!("{}: {error}", table.label())))?;
        return Ok((taken.iter().map(|column| table.names()[*column].clone()).collect(), values));
    }
    let (places, names) = feature_names(table, arrangement.key, report)?;
    let mut values = Array2::zeros((rows.len(), names.len()).f());
    for (to, from) in rows.iter().enumerate() {
        let numbers = numbers_of(taken[*from])?;
        check(table, kind, taken[*from], &numbers)?;
        for (feature, place) in places.iter().enumerate() {
            values[[to, feature]] = numbers[*place] as f32;
        }
    }
    Ok((names, values))
}

/// Whether a table of mutations holds only 0, 1 and 2: the number of mutated alleles.
fn counts_alleles(table: &RawTable, kind: CellKind, columns: &[usize]) -> Result<bool> {
    let mut both = false;
    for column in columns {
        for value in table.numbers(*column, expected(kind))?.iter().copied() {
            if !(value.is_nan() || value == 0.0 || value == 1.0 || value == 2.0) {
                return Ok(false);
            }
            both |= value == 2.0;
        }
    }
    Ok(both)
}

/// Averages features that share a name (probes or transcripts of one gene), without missing values.
///
/// # Errors
/// If a repeated name looks like a date: spreadsheets turn several gene symbols into one date.
fn averaged(
    table: &RawTable,
    names: Vec<String>,
    values: Array2<f32>,
    report: &mut FileReport,
) -> Result<(Vec<String>, Array2<f32>)> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, name) in names.iter().enumerate() {
        places.entry(name).or_default().push(at);
    }
    let repeated: Vec<&str> =
        places.iter().filter(|(_, places)| places.len() > 1).map(|(name, _)| *name).collect();
    if repeated.is_empty() {
        return Ok((names, values));
    }
    refuse_dates(table, &repeated)?;
    report.notes.push(format!(
        "features that occur more than once, averaged: {} ({})",
        repeated.len(),
        listed(&repeated, 5)
    ));
    let kept: Vec<usize> = (0..names.len()).filter(|at| places[names[*at].as_str()][0] == *at).collect();
    let mean = |(row, column): (usize, usize)| {
        let all = places[names[kept[column]].as_str()].iter().map(|at| f64::from(values[[row, *at]]));
        let (sum, count) =
            all.filter(|value| !value.is_nan()).fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
        (sum / count) as f32
    };
    let values = Array2::from_shape_fn((values.nrows(), kept.len()).f(), mean);
    Ok((kept.iter().map(|at| names[*at].clone()).collect(), values))
}

fn refuse_dates(table: &RawTable, repeated: &[&str]) -> Result<()> {
    let number = |name: &str| name.parse::<f64>().is_ok_and(|number| number > 36_000.0 && number < 55_000.0);
    let dates: Vec<&&str> = repeated.iter().filter(|name| looks_like_date(name)).collect();
    let serials: Vec<&&str> = repeated.iter().filter(|name| number(name)).collect();
    let refused = match (dates.is_empty(), serials.len() == repeated.len()) {
        (false, _) => dates,
        // Numbers of days, unless other numbers repeat as well.
        (true, true) if serials.len() < 10 => serials,
        _ => return Ok(()),
    };
    Err(Error::data(format!(
        "{}: features called {} occur more than once: spreadsheets turn several gene symbols into one date (MARCH1 and MARC1 into 1-Mar)",
        table.label(),
        listed(&refused, 5)
    ))
    .with_help("copy the gene symbols from the source of the data, or remove these features"))
}

/// The rows that name a feature, and the names.
fn feature_names(table: &RawTable, key: usize, report: &mut FileReport) -> Result<(Vec<usize>, Vec<String>)> {
    let all = table.texts(key)?;
    let unnamed = all.iter().filter(|name| name.is_none()).count();
    if unnamed == all.len() {
        return Err(Error::data(format!(
            "{}: column {:?} names no feature",
            table.label(),
            table.names()[key]
        ))
        .with_help("put the names of the features (genes) in the first column"));
    }
    if unnamed > 0 {
        report.notes.push(format!("rows without a feature name, left out: {unnamed}"));
    }
    Ok(all.into_iter().enumerate().filter_map(|(at, name)| Some((at, name?))).unzip())
}

fn block_of(kind: CellKind, names: Vec<String>, values: Array2<f32>) -> Result<FeatureBlock> {
    FeatureBlock::new(kind.name(), names, feature_values(kind, values))
        .map_err(|error| error.with_help("keep one of each feature, or average them"))
}

fn feature_values(kind: CellKind, values: Array2<f32>) -> FeatureValues {
    match kind.values() {
        KindValues::ZeroOrOne => bits(&values),
        KindValues::Numbers { .. } | KindValues::Texts => FeatureValues::real(values),
    }
}

fn bits(values: &Array2<f32>) -> FeatureValues {
    FeatureValues::Binary(BitColumns::from_fn(values.nrows(), values.ncols(), |row, column| {
        let value = values[[row, column]];
        (!value.is_nan()).then_some(value != 0.0)
    }))
}

type Blocks = (Vec<FeatureBlock>, Option<Vec<Option<String>>>);

/// Features of numbers, and the text columns beside them as a separate block.
fn numbers_and_texts(
    table: &RawTable,
    arrangement: &Arrangement,
    kind: CellKind,
    text_columns: TextColumns,
    rows: &[usize],
) -> Result<Blocks> {
    let (texts, numbers): (Vec<usize>, Vec<usize>) =
        arrangement.columns.iter().copied().partition(|column| {
            let taken = (text_columns.takes)(&table.names()[*column]);
            table.could_be(*column, Role::Tissue) || (taken && table.is_text(*column))
        });
    let mut values = Array2::zeros((rows.len(), numbers.len()).f());
    for (feature, column) in numbers.iter().enumerate() {
        let read = table.numbers(*column, expected(kind))?;
        check(table, kind, *column, &read)?;
        for (to, from) in rows.iter().enumerate() {
            values[[to, feature]] = read[*from] as f32;
        }
    }
    let names: Vec<String> = numbers.iter().map(|column| table.names()[*column].clone()).collect();
    let mut blocks = Vec::new();
    if !names.is_empty() {
        blocks.push(FeatureBlock::new(kind.name(), names, feature_values(kind, values))?);
    }
    let (more, tissue) = text_blocks(table, &texts, rows, text_columns.block)?;
    blocks.extend(more);
    Ok((blocks, tissue))
}

fn categories(
    table: &RawTable,
    arrangement: &Arrangement,
    text_columns: TextColumns,
    rows: &[usize],
    report: &mut FileReport,
) -> Result<Blocks> {
    let (texts, numbers): (Vec<usize>, Vec<usize>) =
        arrangement.columns.iter().copied().partition(|column| table.is_text(*column));
    if texts.is_empty() {
        return Err(Error::data(format!("{}: has no text column to make a category of", table.label()))
            .with_help("set kind = \"expression\" for numbers, kind = \"mutation\" for 0 and 1"));
    }
    if !numbers.is_empty() {
        let names: Vec<&str> = numbers.iter().map(|column| table.names()[*column].as_str()).collect();
        report
            .notes
            .push(format!("unused columns of numbers, which cannot be categories: {}", listed(&names, 5)));
    }
    text_blocks(table, &texts, rows, text_columns.block)
}

/// The tissue as a separate block, all other text columns as one block of `kind`.
fn text_blocks(table: &RawTable, texts: &[usize], rows: &[usize], kind: &str) -> Result<Blocks> {
    let mut tissue = None;
    let (mut names, mut others) = (Vec::new(), Vec::new());
    let mut blocks = Vec::new();
    for column in texts {
        let all = table.texts(*column)?;
        let labels: Vec<Option<String>> = rows.iter().map(|row| all[*row].clone()).collect();
        let name = &table.names()[*column];
        let category = Category::from_labels(&labels)
            .map_err(|error| error.with_context(format!("{}: column {name:?}", table.label())))?;
        if table.role(Role::Tissue) == Some(*column) {
            blocks.push(FeatureBlock::new(TISSUE, ["tissue"], FeatureValues::Category(vec![category]))?);
            tissue = Some(labels);
        } else {
            names.push(name.clone());
            others.push(category);
        }
    }
    if !names.is_empty() {
        blocks.push(FeatureBlock::new(kind, names, FeatureValues::Category(others))?);
    }
    Ok((blocks, tissue))
}

/// The columns of a block that vary.
pub(crate) fn varying(block: &FeatureBlock) -> Vec<usize> {
    let varies = |column: &usize| match &block.values {
        FeatureValues::Real(values) => {
            let values = values.column(*column);
            let mut known = values.iter().filter(|value| !value.is_nan());
            let first = known.next();
            known.any(|value| Some(value) != first)
        }
        FeatureValues::Binary(bits) => {
            let mut known = (0..bits.entities()).filter_map(|entity| bits.get(entity, *column));
            let first = known.next();
            known.any(|value| Some(value) != first)
        }
        FeatureValues::Category(categories) => categories[*column].levels.len() > 1,
    };
    (0..block.len()).filter(varies).collect()
}

/// The block with only these columns.
pub(crate) fn take_columns(block: &FeatureBlock, columns: &[usize]) -> Result<FeatureBlock> {
    let values = match &block.values {
        FeatureValues::Real(values) => FeatureValues::Real(Array2::from_shape_fn(
            (values.nrows(), columns.len()).f(),
            |(row, column)| values[[row, columns[column]]],
        )),
        FeatureValues::Binary(bits) => {
            FeatureValues::Binary(BitColumns::from_fn(bits.entities(), columns.len(), |entity, column| {
                bits.get(entity, columns[column])
            }))
        }
        FeatureValues::Category(categories) => {
            FeatureValues::Category(columns.iter().map(|column| categories[*column].clone()).collect())
        }
    };
    FeatureBlock::new(block.kind.clone(), columns.iter().map(|column| block.names[*column].clone()), values)
}

/// The number of features that have the lowest value in every cell line: placeholders, not measurements.
pub(crate) fn at_the_floor(block: &FeatureBlock) -> usize {
    let FeatureValues::Real(values) = &block.values else { return 0 };
    if values.nrows() < 2 || values.ncols() < 2 {
        return 0;
    }
    let mut lowest = vec![f32::INFINITY; values.nrows()];
    for column in values.columns() {
        lowest.iter_mut().zip(column).for_each(|(low, value)| *low = low.min(*value));
    }
    let at_floor =
        |column: &ndarray::ArrayView1<f32>| column.iter().zip(&lowest).all(|(value, low)| value == low);
    let count = values.columns().into_iter().filter(at_floor).count();
    if count > 1 { count } else { 0 }
}
