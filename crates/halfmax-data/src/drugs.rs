use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use chematic::fp::{RdkitMorganConfig, RdkitMorganFpSize, RdkitMorganRadius, rdkit_morgan_bitvec};
use halfmax_core::{
    BitColumns, Category, EntityTable, Error, FeatureBlock, FeatureSpace, FeatureValues, Result, listed,
};

use crate::columns;
use crate::config::DrugFeatures;
use crate::names::{drug_key, no_column};
use crate::open::read_table;
use crate::report::{FileReport, FileShape};
use crate::table::RawTable;

/// What a file says about drugs.
#[derive(Clone, Debug, Default)]
pub(crate) struct DrugSheet {
    shape: FileShape,
    drugs: Vec<DrugRow>,
    by_key: HashMap<String, usize>,
    merged: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct DrugRow {
    name: String,
    smiles: Option<(usize, String)>,
    targets: Option<String>,
    pathway: Option<String>,
}

/// A molecule that could not be used.
struct BadSmiles {
    row: usize,
    drug: String,
    reason: String,
}

impl DrugSheet {
    /// Reads names, SMILES, targets and pathways; rows of one drug under several spellings complete each other.
    pub fn read(table: &RawTable) -> Result<Self> {
        let Some(name) = table.find(&columns::DRUG) else {
            return Err(no_column(table, "of drugs", &columns::DRUG));
        };
        let column = |names: &[&str]| {
            table.find(names).filter(|column| *column != name).map(|column| table.texts(column))
        };
        let smiles = column(&columns::SMILES).transpose()?;
        let targets = column(&columns::TARGETS).transpose()?;
        let pathways = column(&columns::TARGET_PATHWAY).transpose()?;
        let mut sheet = Self { shape: FileShape::of(table, "drugs"), ..Self::default() };
        for (row, name) in table.texts(name)?.into_iter().enumerate() {
            let Some(name) = name else { continue };
            let entry =
                |values: &Option<Vec<Option<String>>>| values.as_ref().and_then(|all| all[row].clone());
            sheet.add(DrugRow {
                name,
                smiles: entry(&smiles).map(|smiles| (table.row_of(row), smiles)),
                targets: entry(&targets),
                pathway: entry(&pathways),
            });
        }
        Ok(sheet)
    }

    fn add(&mut self, row: DrugRow) {
        let key = drug_key(&row.name);
        let Some(at) = self.by_key.get(&key) else {
            self.by_key.insert(key, self.drugs.len());
            self.drugs.push(row);
            return;
        };
        let known = &mut self.drugs[*at];
        self.merged.push(format!("{} with {}", row.name, known.name));
        known.smiles = known.smiles.take().or(row.smiles);
        known.targets = known.targets.take().or(row.targets);
        known.pathway = known.pathway.take().or(row.pathway);
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> Vec<String> {
        self.drugs.iter().map(|drug| drug.name.clone()).collect()
    }

    fn row(&self, name: &str) -> Option<&DrugRow> {
        self.by_key.get(&drug_key(name)).map(|at| &self.drugs[*at])
    }
}

/// Makes the table of these drugs with their features. With a model's feature space, targets are the model's.
pub(crate) fn drug_entities(
    sheet: &DrugSheet,
    ids: &[String],
    features: &DrugFeatures,
    space: Option<&FeatureSpace>,
) -> Result<(EntityTable, FileReport)> {
    let rows: Vec<Option<&DrugRow>> = ids.iter().map(|id| sheet.row(id)).collect();
    let mut table = EntityTable::new(ids.iter().cloned(), "drug")?;
    let mut report = report_on(sheet, ids, &rows);
    // As the file has them, whatever features are made of them; not for libraries of too many different ones.
    let labels = |of: fn(&DrugRow) -> Option<&str>| {
        Category::from_labels(&rows.iter().map(|row| row.and_then(of)).collect::<Vec<Option<&str>>>())
    };
    if let (Ok(targets), Ok(pathways)) =
        (labels(|row| row.targets.as_deref()), labels(|row| row.pathway.as_deref()))
    {
        table = table.with_group("targets", targets)?.with_group("target_pathway", pathways)?;
    }
    if features.fingerprint_bits > 0 && rows.iter().flatten().any(|row| row.smiles.is_some()) {
        let (block, bad) = fingerprints(&rows, features.fingerprint_bits)?;
        note_bad_smiles(&bad, &mut report);
        table = table.with_block(block)?;
    }
    if features.targets
        && let Some(block) = target_block(&rows, space)?
    {
        table = table.with_block(block)?;
    }
    if features.target_pathway && rows.iter().flatten().any(|row| row.pathway.is_some()) {
        let labels: Vec<Option<&str>> =
            rows.iter().map(|row| row.and_then(|row| row.pathway.as_deref())).collect();
        let category = FeatureValues::Category(vec![Category::from_labels(&labels)?]);
        table = table.with_block(FeatureBlock::new("target_pathway", ["target_pathway"], category)?)?;
    }
    Ok((table, report))
}

fn report_on(sheet: &DrugSheet, ids: &[String], rows: &[Option<&DrugRow>]) -> FileReport {
    let wanted: BTreeSet<String> = ids.iter().map(|id| drug_key(id)).collect();
    let matched = rows.iter().flatten().count();
    let count = |has: &dyn Fn(&DrugRow) -> bool| rows.iter().flatten().filter(|row| has(row)).count();
    let mut notes = vec![format!(
        "of {} drugs, {} have a structure, {} targets, {} a target pathway",
        ids.len(),
        count(&|row| row.smiles.is_some()),
        count(&|row| row.targets.is_some()),
        count(&|row| row.pathway.is_some())
    )];
    let absent: Vec<&String> =
        ids.iter().zip(rows).filter(|(_, row)| row.is_none()).map(|(id, _)| id).collect();
    if !absent.is_empty() && !sheet.drugs.is_empty() {
        notes.push(format!("drugs without a row here: {} ({})", absent.len(), listed(&absent, 5)));
    }
    if !sheet.merged.is_empty() {
        notes.push(format!("spellings brought together: {}", listed(&sheet.merged, 5)));
    }
    let fields = 3 * matched.max(1);
    let present = count(&|row| row.smiles.is_some())
        + count(&|row| row.targets.is_some())
        + count(&|row| row.pathway.is_some());
    FileReport {
        shape: sheet.shape.clone(),
        matched,
        unmatched: sheet.names().into_iter().filter(|name| !wanted.contains(&drug_key(name))).collect(),
        missing_share: 1.0 - present as f64 / fields as f64,
        notes,
        ..FileReport::default()
    }
}

fn note_bad_smiles(bad: &[BadSmiles], report: &mut FileReport) {
    if bad.is_empty() {
        return;
    }
    let texts: Vec<String> =
        bad.iter().map(|bad| format!("row {}, {}: {}", bad.row, bad.drug, bad.reason)).collect();
    report.notes.push(format!(
        "structures that cannot be used, their fingerprints are missing: {} ({})",
        bad.len(),
        listed(&texts, 5)
    ));
}

fn width(bits: usize) -> Result<RdkitMorganFpSize> {
    match bits {
        128 => Ok(RdkitMorganFpSize::B128),
        256 => Ok(RdkitMorganFpSize::B256),
        512 => Ok(RdkitMorganFpSize::B512),
        1024 => Ok(RdkitMorganFpSize::B1024),
        2048 => Ok(RdkitMorganFpSize::B2048),
        _ => Err(Error::parameter(
            "data.drug_features.fingerprint_bits",
            bits,
            "0, 128, 256, 512, 1024 or 2048",
        )),
    }
}

/// Morgan fingerprints of radius 2, the bits that RDKit sets (Rogers & Hahn 2010).
fn fingerprints(rows: &[Option<&DrugRow>], bits: usize) -> Result<(FeatureBlock, Vec<BadSmiles>)> {
    let config =
        RdkitMorganConfig { radius: RdkitMorganRadius::R2, fp_size: width(bits)?, include_chirality: false };
    let mut values = BitColumns::zeros(rows.len(), bits);
    let mut bad = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let molecule = row.and_then(|row| row.smiles.as_ref().map(|(line, smiles)| (row, *line, smiles)));
        let fingerprint = molecule.and_then(|(row, line, smiles)| {
            let made = fingerprint(smiles, &config);
            made.map_err(|reason| bad.push(BadSmiles { row: line, drug: row.name.clone(), reason })).ok()
        });
        for bit in 0..bits {
            values.set(at, bit, fingerprint.as_ref().map(|fingerprint| fingerprint.get(bit)));
        }
    }
    let names = (1..=bits).map(|bit| format!("bit{bit:04}"));
    Ok((FeatureBlock::new("fingerprint", names, FeatureValues::Binary(values))?, bad))
}

fn fingerprint(smiles: &str, config: &RdkitMorganConfig) -> Result<chematic::fp::BitVecN, String> {
    let molecule = chematic::smiles::parse(smiles).map_err(|error| error.to_string())?;
    rdkit_morgan_bitvec(&molecule, config).map_err(|error| error.to_string())
}

fn targets_of(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';']).map(str::trim).filter(|target| !target.is_empty())
}

fn target_block(rows: &[Option<&DrugRow>], space: Option<&FeatureSpace>) -> Result<Option<FeatureBlock>> {
    let targets: Vec<Option<BTreeSet<&str>>> = rows
        .iter()
        .map(|row| row.and_then(|row| row.targets.as_deref()).map(|text| targets_of(text).collect()))
        .collect();
    let names: Vec<String> = match space {
        Some(space) => {
            let target = space.features.iter().filter(|feature| feature.kind == "target");
            target.map(|feature| feature.name.clone()).collect()
        }
        None => shared_targets(&targets),
    };
    if names.is_empty() || (space.is_none() && targets.iter().all(Option::is_none)) {
        return Ok(None);
    }
    let bits = BitColumns::from_fn(rows.len(), names.len(), |drug, target| {
        targets[drug].as_ref().map(|targets| targets.contains(names[target].as_str()))
    });
    FeatureBlock::new("target", names, FeatureValues::Binary(bits)).map(Some)
}

/// The targets that at least two drugs have: one that a single drug has tells nothing about others.
fn shared_targets(targets: &[Option<BTreeSet<&str>>]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for target in targets.iter().flatten().flatten() {
        *counts.entry(target).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name.to_owned()).collect()
}

/// Reads the drugs to score, each row of the file one drug (spellings of one drug are brought together).
///
/// With the feature space of a model, the block of targets holds the model's targets, so that a drug of the file that
/// lacks one of them has a 0 there; without, it holds the targets that at least two drugs of the file share.
///
/// # Errors
/// If the file cannot be read, has no column of drugs, or names none.
pub fn read_drugs(
    path: impl AsRef<Path>,
    features: &DrugFeatures,
    space: Option<&FeatureSpace>,
) -> Result<(EntityTable, FileReport)> {
    let sheet = DrugSheet::read(&read_table(path)?)?;
    if sheet.drugs.is_empty() {
        return Err(
            Error::data(format!("{}: names no drug", sheet.shape.file)).help("fill the column of drug names")
        );
    }
    drug_entities(&sheet, &sheet.names(), features, space)
}
