//! Writes a screen as a folder of Parquet files in one documented layout, whatever the format of its input files.

use halfmax_core::{CellKind, EntityTable, Error, FeatureBlock, FeatureValues, Result, Target};

use crate::config::{DrugFeatures, TargetConfig};
use crate::features::{TISSUE, kind_of_texts};
use crate::load::Loaded;
use crate::output::RunFolder;
use crate::writers::{OutputColumn, TableWriter};

/// A column to write.
enum Column<'a> {
    Text(Vec<&'a str>),
    Numbers(Vec<f32>),
}

/// Writes the tables of a screen into a folder and returns a configuration that reads them:
///
/// - `responses.parquet`: `cell_line, drug[, drug_b]` and one column with the name of the target, single precision;
///   `lowest_dose_um, highest_dose_um` where the table of responses gives the tested doses;
/// - `expression.parquet`, `mutation.parquet`, `copy_number.parquet`, `events.parquet`, `category.parquet`:
///   `cell_line` and one column per feature; events are 0 and 1, with the tissue as `TISSUE_FACTOR`;
/// - `drugs.parquet`: `drug, smiles, targets, target_pathway`, empty where the sheet has no value, and custom
///   features.
///
/// # Errors
/// If a file cannot be written.
pub fn write_set(loaded: &Loaded, name: &str, features: &DrugFeatures, folder: &RunFolder) -> Result<String> {
    let screen = &loaded.screen;
    let mut config =
        format!("name = {}\n\n[data]\nresponse = \"responses.parquet\"\n", toml::Value::from(name));
    write_responses(loaded, folder)?;
    if !loaded.drug_rows.is_empty() {
        write_drugs(loaded, folder)?;
        config.push_str("drugs = \"drugs.parquet\"\n");
        config.push_str(&format!(
            "drug_features = {{ fingerprint_bits = {}, targets = {}, target_pathway = {}{} }}\n",
            features.fingerprint_bits,
            features.targets,
            features.target_pathway,
            if features.columns.is_empty() { "" } else { ", columns = [\"all\"]" }
        ));
    }
    for (kind, columns) in of_kinds(&screen.tables[0]) {
        let file = format!("{}.parquet", kind.name());
        let ids: Vec<&str> = screen.tables[0].ids().iter().map(String::as_str).collect();
        write_table(folder, &file, "cell_line", &ids, columns)?;
        config.push_str(&format!("\n[[data.cells]]\nkind = \"{}\"\nfile = \"{file}\"\n", kind.name()));
        if kind.is_required() && any_without(&screen.tables[0], kind) {
            config.push_str("optional = true\n");
        }
    }
    // The values are written as models learn them: a logarithm that was taken is not undone.
    let target = TargetConfig::like(&Target { taken_from: None, ..loaded.target.clone() });
    let target = TargetConfig { column: Some(screen.target.clone()), ..target };
    config.push_str("\n[target]\n");
    let target = toml::to_string(&target)
        .map_err(|error| Error::failed("[target] cannot be written").with_source(error))?;
    config.push_str(&target);
    config.push_str("\n[split]\nkind = \"");
    config.push_str(if screen.sides.len() > 2 { "leave_combination" } else { "lco" });
    config.push_str("\"\n\n[[model]]\nfamily = \"kernel\"\n");
    folder.write("screen.toml", config.as_bytes())?;
    Ok(config)
}

/// Whether some cell line has no value of a kind at all.
fn any_without(cells: &EntityTable, kind: CellKind) -> bool {
    let Some(block) = cells.block(kind.name()) else { return false };
    let lacks = |cell: usize| match &block.values {
        FeatureValues::Real(values) => values.row(cell).iter().all(|value| value.is_nan()),
        FeatureValues::Binary(bits) => (0..bits.columns()).all(|column| bits.get(cell, column).is_none()),
        FeatureValues::Category(all) => all.iter().all(|category| category.codes[cell].is_none()),
    };
    (0..block.entities()).any(lacks)
}

fn write_responses(loaded: &Loaded, folder: &RunFolder) -> Result<()> {
    let screen = &loaded.screen;
    let named = |side: usize| -> Vec<&str> {
        let ids = screen.table(side).ids();
        screen.responses.side(side).iter().map(|at| ids[*at as usize].as_str()).collect()
    };
    let mut columns = vec![("drug".to_owned(), Column::Text(named(1)))];
    if screen.sides.len() > 2 {
        columns.push(("drug_b".to_owned(), Column::Text(named(2))));
    }
    columns.push((screen.target.clone(), Column::Numbers(screen.responses.values().to_vec())));
    if let Some(tested) = &loaded.tested_doses {
        let dose = |at: usize| {
            let one = |doses: &Option<[f64; 2]>| doses.map_or(f32::NAN, |doses| doses[at] as f32);
            Column::Numbers(tested.iter().map(one).collect())
        };
        columns.extend([("lowest_dose_um".to_owned(), dose(0)), ("highest_dose_um".to_owned(), dose(1))]);
    }
    write_table(folder, "responses.parquet", "cell_line", &named(0), columns)
}

fn write_drugs(loaded: &Loaded, folder: &RunFolder) -> Result<()> {
    let rows = &loaded.drug_rows;
    let column = |of: fn(&crate::drugs::DrugRecord) -> &Option<String>| {
        Column::Text(rows.iter().map(|row| of(row).as_deref().unwrap_or_default()).collect())
    };
    let mut columns = vec![
        ("smiles".to_owned(), column(|row| &row.smiles)),
        ("targets".to_owned(), column(|row| &row.targets)),
        ("target_pathway".to_owned(), column(|row| &row.target_pathway)),
    ];
    let drugs = &loaded.screen.tables[1];
    for kind in ["descriptor", "drug_bits"] {
        columns.extend(drugs.block(kind).into_iter().flat_map(|block| columns_of(block, drugs.len())));
    }
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    write_table(folder, "drugs.parquet", "drug", &names, columns)
}

/// The columns of cell-line features, grouped by the kind of their file.
fn of_kinds(cells: &EntityTable) -> Vec<(CellKind, Vec<(String, Column<'_>)>)> {
    let is_there =
        |kind: &CellKind| cells.blocks().iter().any(|block| kind_of_block(&block.kind) == Some(*kind));
    // Tissues go into the file of the first kind with text columns, else into a file of categories.
    let with_tissues = CellKind::all().filter(|kind| kind.texts().is_some()).find(is_there);
    let with_tissues = with_tissues.unwrap_or(CellKind::CATEGORY);
    let mut found: Vec<(CellKind, Vec<(String, Column<'_>)>)> = Vec::new();
    for block in cells.blocks() {
        let is_tissue = block.kind == TISSUE;
        let kind = if is_tissue { Some(with_tissues) } else { kind_of_block(&block.kind) };
        // What drugs do alone is made again from its own file.
        let Some(kind) = kind else { continue };
        let tissue = kind.texts().filter(|_| is_tissue).map(|texts| texts.tissue);
        let columns = columns_of(block, cells.len()).into_iter();
        let columns = columns.map(|(name, column)| (tissue.map_or(name, str::to_owned), column));
        match found.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, all)) => all.extend(columns),
            None => found.push((kind, columns.collect())),
        }
    }
    found
}

/// The kind whose file a block comes from; `None` for tissues and for blocks that do not come from a file of features.
fn kind_of_block(block: &str) -> Option<CellKind> {
    CellKind::named(block).or_else(|| kind_of_texts(block))
}

fn columns_of(block: &FeatureBlock, entities: usize) -> Vec<(String, Column<'_>)> {
    let column = |at: usize| match &block.values {
        FeatureValues::Real(values) => Column::Numbers(values.column(at).to_vec()),
        FeatureValues::Binary(bits) => Column::Numbers(
            (0..entities)
                .map(|entity| bits.get(entity, at).map_or(f32::NAN, |bit| f32::from(u8::from(bit))))
                .collect(),
        ),
        FeatureValues::Category(categories) => {
            let category = &categories[at];
            let level =
                |code: &Option<u16>| code.map_or("", |code| category.levels[usize::from(code)].as_str());
            Column::Text(category.codes.iter().map(level).collect())
        }
    };
    block.names.iter().cloned().enumerate().map(|(at, name)| (name, column(at))).collect()
}

fn write_table(
    folder: &RunFolder,
    file: &str,
    key: &str,
    names: &[&str],
    columns: Vec<(String, Column<'_>)>,
) -> Result<()> {
    let mut written: Vec<(&str, OutputColumn)> = vec![(key, OutputColumn::Text(names))];
    for (name, column) in &columns {
        written.push((
            name,
            match column {
                Column::Text(values) => OutputColumn::Text(values),
                Column::Numbers(values) => OutputColumn::F32(values),
            },
        ));
    }
    let mut table = TableWriter::create(folder.path(file))?;
    table.write(&written)?;
    table.finish()
}
