//! Drug sheets: the names, structures and targets of drugs, and the features made from them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chematic::fp::{RdkitMorganConfig, RdkitMorganFpSize, RdkitMorganRadius, rdkit_morgan_bitvec};
use halfmax_core::{
    BitColumns, Category, EntityTable, Error, FeatureBlock, FeatureSpace, FeatureValues, Result, listed,
};

use crate::config::DrugFeatures;
use crate::drug_columns::{OwnColumn, own_blocks, own_columns};
use crate::file_spec::TableFile;
use crate::names::{drug_key, is_smiles, made_by_r, without_decimal_zero};
use crate::report::{FileReport, FileShape};
use crate::roles::Role;
use crate::table::{LabelsBuilder, RawColumn, RawTable, Values};

/// What a file says about drugs.
#[derive(Clone, Debug, Default)]
pub(crate) struct DrugSheet {
    shape: FileShape,
    drugs: Vec<DrugRow>,
    /// The drug of each spelling.
    by_name: HashMap<String, usize>,
    /// The drugs of each harmonised name.
    by_key: HashMap<String, Vec<usize>>,
    /// Drugs of the screen that the sheet has under another name.
    by_other_name: HashMap<String, usize>,
    /// Columns that may be custom features.
    own: Vec<OwnColumn>,
    notes: Vec<String>,
}

/// The name and properties of one drug, and its place in the sheet.
#[derive(Clone, Debug, Default)]
pub(crate) struct DrugRow {
    name: String,
    /// The row of the file.
    line: usize,
    /// The row of the table.
    at: usize,
    smiles: Option<(usize, String)>,
    targets: Option<String>,
    pathway: Option<String>,
    aliases: Vec<String>,
}

/// The record of one drug of a screen in a sheet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrugRecord {
    /// Its name in the screen.
    pub name: String,
    /// Its structure, as SMILES.
    pub smiles: Option<String>,
    /// Its targets, as the sheet lists them.
    pub targets: Option<String>,
    /// The pathway that it acts on.
    pub target_pathway: Option<String>,
}

/// A structure that cannot be used.
struct BadSmiles {
    row: usize,
    drug: String,
    reason: String,
}

/// Repeated rows of drugs, and how they were resolved.
#[derive(Default)]
struct Repeats {
    together: Vec<String>,
    rows: Vec<String>,
    contradictions: Vec<String>,
    apart: Vec<String>,
}

impl DrugSheet {
    /// Reads names, SMILES, targets and pathways of the drugs to score. The drug column is the first column with a
    /// known name for drugs.
    ///
    /// # Errors
    /// If no column has such a name.
    pub fn read(table: &RawTable) -> Result<Self> {
        let key = table.key.map_or_else(|| table.require(Role::Drug), Ok)?;
        Self::by_column(table, key)
    }

    /// Reads names, SMILES, targets and pathways of the drugs of a screen. The drug column is the column that contains
    /// most of their names.
    ///
    /// # Errors
    /// If no column contains any of these drugs.
    pub fn of_drugs(table: &RawTable, drugs: &[String]) -> Result<Self> {
        let named = table.key.or_else(|| table.role(Role::Drug));
        let mut best: Option<(usize, usize)> = None;
        for column in
            named.into_iter().chain((0..table.names().len()).filter(|column| Some(*column) != named))
        {
            let found = drugs_in(&table.texts(column)?, drugs);
            if found > best.map_or(0, |(most, _)| most) {
                best = Some((found, column));
            }
        }
        let Some((found, key)) = best else {
            return match with_drugs_in_rows(table, drugs)? {
                Some(turned) => Self::of_drugs(&turned, drugs),
                None => Err(no_drug_found(table, named, drugs)),
            };
        };
        let mut sheet = Self::by_column(table, key)?;
        if Some(key) != named {
            sheet.notes.push(format!(
                "drugs are found in the column {:?}: {found} of {}",
                table.names()[key],
                drugs.len()
            ));
        }
        sheet.find_by_other_names(drugs);
        Ok(sheet)
    }

    fn by_column(table: &RawTable, key: usize) -> Result<Self> {
        let column =
            |role: Role| table.role(role).filter(|column| *column != key).map(|column| table.texts(column));
        let smiles = match column(Role::Smiles) {
            Some(texts) => Some(texts?),
            None => structures(table, key)?,
        };
        let targets = column(Role::Targets).transpose()?;
        let pathways = column(Role::TargetPathway).transpose()?;
        let aliases = table
            .find(&ALIASES)
            .filter(|column| *column != key)
            .map(|column| table.texts(column))
            .transpose()?;
        let mut sheet =
            Self { shape: FileShape::of(table, "drugs"), own: own_columns(table, key)?, ..Self::default() };
        sheet.notes.extend(table.notes());
        let (mut repeats, mut tidied) = (Repeats::default(), Tidied::default());
        for (row, name) in table.texts(key)?.into_iter().enumerate() {
            let Some(name) = name else { continue };
            let name = without_decimal_zero(&name).map_or(name.clone(), str::to_owned);
            let entry =
                |values: &Option<Vec<Option<String>>>| values.as_ref().and_then(|all| all[row].clone());
            let line = table.row_of(row);
            sheet.add(
                DrugRow {
                    at: row,
                    smiles: entry(&smiles).map(|smiles| (line, tidied.tidy(&name, &smiles))),
                    line,
                    targets: entry(&targets),
                    pathway: entry(&pathways),
                    aliases: entry(&aliases).map_or_else(Vec::new, |text| several(&text)),
                    name,
                },
                &mut repeats,
            );
        }
        sheet.notes.extend(repeats.notes());
        sheet.notes.extend(tidied.notes());
        Ok(sheet)
    }

    /// Adds a row. Rows with one name complete each other. So do rows with different spellings that agree.
    fn add(&mut self, row: DrugRow, repeats: &mut Repeats) {
        let key = drug_key(&row.name);
        let same_key = self.by_key.entry(key).or_default();
        let exact = self.by_name.get(&row.name).copied();
        let known = exact.or_else(|| same_key.iter().copied().find(|at| !self.drugs[*at].contradicts(&row)));
        let Some(at) = known else {
            if let Some(other) = same_key.first() {
                repeats.apart.push(format!("{} and {}", self.drugs[*other].name, row.name));
            }
            same_key.push(self.drugs.len());
            self.by_name.insert(row.name.clone(), self.drugs.len());
            self.drugs.push(row);
            return;
        };
        let known = &mut self.drugs[at];
        if exact.is_none() {
            repeats.together.push(format!("{} with {}", row.name, known.name));
            self.by_name.insert(row.name.clone(), at);
        } else if known.contradicts(&row) {
            repeats.contradictions.push(format!("row {} and row {}, {}", known.line, row.line, row.name));
        } else {
            repeats.rows.push(format!("row {} repeats {} of row {}", row.line, row.name, known.line));
        }
        known.smiles = known.smiles.take().or(row.smiles);
        known.targets = known.targets.take().or(row.targets);
        known.pathway = known.pathway.take().or(row.pathway);
        known.aliases.extend(row.aliases);
    }

    /// Finds drugs that no row names directly: by a synonym, else by the name that R would make.
    fn find_by_other_names(&mut self, drugs: &[String]) {
        let (mut by_synonym, mut by_r, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        let forms: Vec<String> = drugs.iter().map(|drug| made_by_r(drug).to_lowercase()).collect();
        for (drug, form) in drugs.iter().zip(&forms) {
            if self.row(drug).is_some() {
                continue;
            }
            let key = drug_key(drug);
            let having = |has: &dyn Fn(&DrugRow) -> bool| -> Vec<usize> {
                (0..self.drugs.len()).filter(|at| has(&self.drugs[*at])).collect()
            };
            let synonym = having(&|row| row.aliases.iter().any(|alias| drug_key(alias) == key));
            let of_r = having(&|row| {
                let name = row.name.to_lowercase();
                name == *form || made_by_r(&row.name).to_lowercase() == drug.to_lowercase()
            });
            match (synonym.as_slice(), of_r.as_slice()) {
                ([at], _) => {
                    by_synonym.push(format!("{drug} = {}", self.drugs[*at].name));
                    self.by_other_name.insert(drug.clone(), *at);
                }
                (_, [at]) => {
                    let name = &self.drugs[*at].name;
                    let one = forms.iter().filter(|other| *other == form).count() == 1;
                    if one && !has_sign(drug) && !has_sign(name) {
                        by_r.push(format!("{drug} = {name}"));
                        self.by_other_name.insert(drug.clone(), *at);
                    } else {
                        lost.push(format!("{name} may be {drug}"));
                    }
                }
                _ => {}
            }
        }
        let mut note = |what: &str, pairs: &[String]| {
            if !pairs.is_empty() {
                self.notes.push(format!("{what}: {}", listed(pairs, 5)));
            }
        };
        note("drugs found by a synonym", &by_synonym);
        note("drugs found by the name that R would make", &by_r);
        note("drugs not matched, because one name lost its signs", &lost);
    }

    /// The records of these drugs in the sheet.
    pub fn records(&self, ids: &[String]) -> Vec<DrugRecord> {
        let record = |id: &String| {
            let row = self.row(id);
            DrugRecord {
                name: id.clone(),
                smiles: row.and_then(|row| row.smiles.as_ref().map(|(_, smiles)| smiles.clone())),
                targets: row.and_then(|row| row.targets.clone()),
                target_pathway: row.and_then(|row| row.pathway.clone()),
            }
        };
        ids.iter().map(record).collect()
    }

    /// The row of a drug in the sheet's table.
    pub fn table_row_of(&self, name: &str) -> Option<usize> {
        self.row(name).map(DrugRow::table_row)
    }

    /// The columns that may be custom features.
    pub fn own_columns(&self) -> &[OwnColumn] {
        &self.own
    }

    /// The name of the file.
    pub fn file(&self) -> &str {
        &self.shape.file
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> Vec<String> {
        self.drugs.iter().map(|drug| drug.name.clone()).collect()
    }

    fn position(&self, name: &str) -> Option<usize> {
        let of_key = || match self.by_key.get(&drug_key(name)).map(Vec::as_slice) {
            Some([at]) => Some(*at),
            _ => None,
        };
        self.by_name.get(name).copied().or_else(of_key).or_else(|| self.by_other_name.get(name).copied())
    }

    fn row(&self, name: &str) -> Option<&DrugRow> {
        self.position(name).map(|at| &self.drugs[at])
    }
}

/// Names of columns of synonyms of drugs.
const ALIASES: [&str; 5] = ["synonyms", "synonym", "aliases", "alias", "other_names"];

fn several(text: &str) -> Vec<String> {
    let parts = text.split([';', '|']).flat_map(|part| part.split(", "));
    parts.map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Whether a name has a sign of optical rotation or charge, which R replaces by full stops.
fn has_sign(name: &str) -> bool {
    ["(-)", "(+)", "(+/-)", "(\u{2212})", "(\u{b1})"].iter().any(|sign| name.contains(sign))
}

/// How many of the drugs a column contains, under their own names or the names that R makes.
fn drugs_in(texts: &[Option<String>], drugs: &[String]) -> usize {
    let mut keys = HashSet::new();
    for text in texts.iter().flatten() {
        keys.insert(drug_key(without_decimal_zero(text).unwrap_or(text)));
        keys.insert(text.to_lowercase());
    }
    let is_there =
        |drug: &&String| keys.contains(&drug_key(drug)) || keys.contains(&made_by_r(drug).to_lowercase());
    drugs.iter().filter(is_there).count()
}

/// Transposes a table of features whose columns are drugs; `None` if its columns are not the drugs of the responses.
fn with_drugs_in_rows(table: &RawTable, drugs: &[String]) -> Result<Option<RawTable>> {
    let keys: HashSet<String> = drugs.iter().map(|drug| drug_key(drug)).collect();
    let columns: Vec<usize> = (0..table.names().len())
        .filter(|column| table.is_numeric(*column) && !table.is_ignored(*column))
        .collect();
    let found = columns.iter().filter(|column| keys.contains(&drug_key(&table.names()[**column]))).count();
    if found == 0 || 2 * found < drugs.len().min(columns.len()) {
        return Ok(None);
    }
    let mut names = LabelsBuilder::default();
    columns.iter().for_each(|column| names.push(Some(&table.names()[*column])));
    let values: Vec<_> =
        columns.iter().map(|column| table.numbers(*column, "a number")).collect::<Result<_>>()?;
    let called = (0..table.names().len()).find(|column| !columns.contains(column));
    let called = called.map(|column| table.labels(column)).transpose()?;
    let name = |row: usize| {
        let own = called.as_ref().and_then(|labels| labels.at(row));
        own.map_or_else(|| format!("feature {}", row + 1), str::to_owned)
    };
    let mut turned = vec![RawColumn { name: "drug".into(), values: Values::texts(names.finish()) }];
    turned.extend((0..table.rows()).map(|row| RawColumn {
        name: name(row),
        values: Values::numbers(values.iter().map(|column| column[row]).collect()),
    }));
    let mut notes = table.notes();
    notes.push(format!(
        "its columns are drugs ({found} of {} of the responses) and its rows features: it was transposed",
        drugs.len()
    ));
    table.with_columns(turned, notes).map(Some)
}

fn no_drug_found(table: &RawTable, named: Option<usize>, drugs: &[String]) -> Error {
    let own: Vec<String> = named
        .and_then(|column| table.texts(column).ok())
        .map_or_else(Vec::new, |texts| texts.into_iter().flatten().collect());
    let has = match named {
        Some(column) => format!("its column {:?} has {}", table.names()[column], listed(&own, 5)),
        None => format!("it has the columns {}", listed(table.names(), 8)),
    };
    Error::data(format!(
        "{}: no column has any of the {} drugs of the responses ({}): {has}",
        table.label(),
        drugs.len(),
        listed(drugs, 5)
    ))
    .with_help("use a sheet with a column of drug names or ids as in the responses, or remove data.drugs")
}

/// Finds a column of structures by its content: most of its texts are SMILES.
fn structures(table: &RawTable, key: usize) -> Result<Option<Vec<Option<String>>>> {
    for column in (0..table.names().len()).filter(|column| *column != key && table.is_text(*column)) {
        let texts = table.texts(column)?;
        let all = texts.iter().flatten().count();
        let smiles = texts.iter().flatten().filter(|text| is_smiles(text)).count();
        if all > 0 && 5 * smiles >= 4 * all {
            return Ok(Some(texts));
        }
    }
    Ok(None)
}

impl DrugRow {
    /// The row of the sheet's table.
    pub fn table_row(&self) -> usize {
        self.at
    }

    /// Whether two rows must be different drugs: their structures differ, or, without structures, they share no target.
    fn contradicts(&self, other: &Self) -> bool {
        match (&self.smiles, &other.smiles) {
            (Some((_, one)), Some((_, other))) => !same_molecule(one, other),
            _ => match (&self.targets, &other.targets) {
                (Some(one), Some(other)) => {
                    let one: BTreeSet<String> = targets_of(one).map(str::to_lowercase).collect();
                    !targets_of(other).any(|target| one.contains(&target.to_lowercase()))
                }
                _ => false,
            },
        }
    }
}

fn same_molecule(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let config = RdkitMorganConfig {
        radius: RdkitMorganRadius::R2,
        fp_size: RdkitMorganFpSize::B2048,
        include_chirality: false,
    };
    match (fingerprint(one, &config), fingerprint(other, &config)) {
        (Ok(one), Ok(other)) => (0..2048).all(|bit| one.get(bit) == other.get(bit)),
        // An unreadable structure cannot show a contradiction.
        _ => true,
    }
}

impl Repeats {
    fn notes(&self) -> Vec<String> {
        let note =
            |what: &str, all: &[String]| (!all.is_empty()).then(|| format!("{what}: {}", listed(all, 5)));
        [
            note("spellings merged", &self.together),
            note("rows that repeat a drug", &self.rows),
            note("rows of one drug that contradict each other: the first is used", &self.contradictions),
            note(
                "names that differ only in punctuation or case but contradict each other, kept separate",
                &self.apart,
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Corrections of structure texts.
#[derive(Default)]
struct Tidied {
    doubled: Vec<String>,
    lists: Vec<String>,
}

impl Tidied {
    /// One structure of a text: the first of a list, with single backslashes.
    fn tidy(&mut self, drug: &str, text: &str) -> String {
        let first = first_structure(text);
        if first.len() < text.trim().len() {
            self.lists.push(drug.to_owned());
        }
        if first.contains("\\\\") {
            self.doubled.push(drug.to_owned());
        }
        first.replace("\\\\", "\\")
    }

    fn notes(&self) -> Vec<String> {
        let note = |what: &str, all: &[String]| {
            (!all.is_empty()).then(|| format!("{what}: {} ({})", all.len(), listed(all, 5)))
        };
        [
            note("lists of structures: the first is used", &self.lists),
            note("structures with doubled backslashes, read with single ones", &self.doubled),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The first structure of a list. The separators never occur in a structure outside square brackets.
fn first_structure(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix("['").or_else(|| text.strip_prefix("[\"")).unwrap_or(text);
    let mut depth = 0_usize;
    let separates = |c: char| {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && (c.is_whitespace() || matches!(c, ';' | ',' | '|' | '\'' | '"'))
    };
    text.split(separates).find(|part| !part.is_empty()).unwrap_or(text)
}

/// Makes the table of these drugs with their features. If a model's feature space is given, the targets are those of
/// the model.
pub(crate) fn drug_entities(
    sheet: &DrugSheet,
    ids: &[String],
    features: &DrugFeatures,
    space: Option<&FeatureSpace>,
) -> Result<(EntityTable, FileReport)> {
    let mut rows: Vec<Option<&DrugRow>> = ids.iter().map(|id| sheet.row(id)).collect();
    let mut table = EntityTable::new(ids.iter().cloned(), "drug")?;
    let called = called_by_structures(ids, &rows);
    if !called.is_empty() {
        let filled = rows.iter().zip(&called).map(|(row, called)| called.as_ref().or(*row));
        rows = filled.collect();
    }
    let mut report = report_on(sheet, ids, &rows);
    for block in own_blocks(sheet, &rows, &features.columns, &mut report)? {
        table = table.with_block(block)?;
    }
    let structures = called.iter().flatten().count();
    if structures > 0 {
        report
            .notes
            .push(format!("drug names that are structures, used as such: {structures} of {}", ids.len()));
    }
    // Labels as in the file, independent of the features. Libraries with too many different labels get none.
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

/// Drugs whose names are structures, if no column holds structures and most names are structures.
fn called_by_structures(ids: &[String], rows: &[Option<&DrugRow>]) -> Vec<Option<DrugRow>> {
    if rows.iter().flatten().any(|row| row.smiles.is_some()) {
        return Vec::new();
    }
    let structure = |(id, row): (&String, &Option<&DrugRow>)| {
        let usable = is_smiles(id) && chematic::smiles::parse(id).is_ok();
        let own = row.map_or_else(DrugRow::default, DrugRow::clone);
        usable.then(|| DrugRow { name: id.clone(), smiles: Some((own.line, id.clone())), ..own })
    };
    let called: Vec<Option<DrugRow>> = ids.iter().zip(rows).map(structure).collect();
    if 5 * called.iter().flatten().count() >= 4 * ids.len() { called } else { Vec::new() }
}

fn report_on(sheet: &DrugSheet, ids: &[String], rows: &[Option<&DrugRow>]) -> FileReport {
    let wanted: HashSet<usize> = ids.iter().filter_map(|id| sheet.position(id)).collect();
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
    notes.extend(sheet.notes.iter().cloned());
    // Without a column for a property, its values do not count as missing.
    let kept = [
        count(&|row| row.smiles.is_some()),
        count(&|row| row.targets.is_some()),
        count(&|row| row.pathway.is_some()),
    ];
    let columns = kept.iter().filter(|present| **present > 0).count();
    let fields = columns * matched;
    let missing = if fields > 0 { 1.0 - kept.iter().sum::<usize>() as f64 / fields as f64 } else { 0.0 };
    FileReport {
        shape: sheet.shape.clone(),
        matched,
        unmatched: (0..sheet.drugs.len())
            .filter(|at| !wanted.contains(at))
            .map(|at| sheet.drugs[at].name.clone())
            .collect(),
        missing_share: missing,
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
        "unusable structures, whose fingerprints are missing: {} ({})",
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

/// Morgan fingerprints of radius 2, with the same bits as RDKit (Rogers & Hahn 2010).
fn fingerprints(rows: &[Option<&DrugRow>], bits: usize) -> Result<(FeatureBlock, Vec<BadSmiles>)> {
    let config = morgan(bits)?;
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

fn morgan(bits: usize) -> Result<RdkitMorganConfig> {
    let fp_size = width(bits)?;
    Ok(RdkitMorganConfig { radius: RdkitMorganRadius::R2, fp_size, include_chirality: false })
}

/// The Morgan fingerprint (radius 2) of one structure, `bits` long. [`read_drugs`] makes the same features from a
/// drug's SMILES.
///
/// # Errors
/// If the text is not a structure, or [`DrugFeatures::fingerprint_bits`] does not allow the length `bits`.
///
/// ```
/// let aspirin = halfmax_data::fingerprint_of("CC(=O)Oc1ccccc1C(=O)O", 512)?;
/// assert!(aspirin.len() == 512 && aspirin.contains(&true));
/// # Ok::<(), halfmax_core::Error>(())
/// ```
pub fn fingerprint_of(smiles: &str, bits: usize) -> Result<Vec<bool>> {
    let made = fingerprint(smiles, &morgan(bits)?).map_err(|reason| {
        Error::data(format!("{smiles:?} cannot be read as a structure: {reason}"))
            .with_help("expected a SMILES such as CC(=O)Oc1ccccc1C(=O)O")
    })?;
    Ok((0..bits).map(|bit| made.get(bit)).collect())
}

/// The largest number of wildcard atoms in a drug. Each wildcard in an aromatic ring doubles the time to find the bonds
/// of the ring.
const MOST_WILD_CARDS: usize = 10;

/// The largest number of atoms in a drug, without hydrogens. Finding the rings of larger molecules takes seconds.
const MOST_ATOMS: usize = 1000;

fn fingerprint(smiles: &str, config: &RdkitMorganConfig) -> Result<chematic::fp::BitVecN, String> {
    rdkit_morgan_bitvec(&readable_molecule(smiles)?, config).map_err(|error| error.to_string())
}

/// Parses a SMILES. Refuses molecules that would take seconds to process.
pub(crate) fn readable_molecule(smiles: &str) -> Result<chematic::core::Molecule, String> {
    let wild_cards = smiles.matches('*').count() + smiles.matches("#0").count();
    if wild_cards > MOST_WILD_CARDS {
        return Err(format!("it has {wild_cards} atoms of any kind (*), expected at most {MOST_WILD_CARDS}"));
    }
    let atoms = atoms_in(smiles);
    if atoms > MOST_ATOMS {
        return Err(format!("it has {atoms} atoms, expected at most {MOST_ATOMS}: a small molecule"));
    }
    chematic::smiles::parse(smiles).map_err(|error| error.to_string())
}

/// The number of atoms in a SMILES: one for each pair of brackets, plus the symbols outside brackets.
fn atoms_in(smiles: &str) -> usize {
    let mut within = false;
    let atom = |letter: &char| {
        let outside = !within;
        within = *letter == '[' || (within && *letter != ']');
        *letter == '[' || (outside && (letter.is_ascii_uppercase() || "bcnops*".contains(*letter)))
    };
    smiles.chars().filter(atom).count()
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

/// The targets that at least two drugs share. A target of a single drug gives no information about other drugs.
fn shared_targets(targets: &[Option<BTreeSet<&str>>]) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for target in targets.iter().flatten().flatten() {
        *counts.entry(target).or_default() += 1;
    }
    counts.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name.to_owned()).collect()
}

/// Reads the drugs to score, one drug per row. Different spellings of one drug are merged.
///
/// With the feature space of a model, the block of targets holds the model's targets. A drug without one of these
/// targets gets 0. Without a feature space, the block holds the targets that at least two drugs of the file share.
///
/// # Errors
/// If the file cannot be read, has no column of drugs, or names no drug.
pub fn read_drugs(
    file: impl Into<TableFile>,
    features: &DrugFeatures,
    space: Option<&FeatureSpace>,
) -> Result<(EntityTable, FileReport)> {
    let sheet = DrugSheet::read(&file.into().open()?)?;
    if sheet.drugs.is_empty() {
        return Err(Error::data(format!("{}: names no drug", sheet.shape.file))
            .with_help("fill the column of drug names"));
    }
    drug_entities(&sheet, &sheet.names(), features, space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atoms_are_counted_as_they_are_written() {
        for (smiles, atoms) in [
            ("CC(=O)Oc1ccccc1C(=O)O", 13),
            ("[Na+].[Cl-]", 2),
            ("ClCCBr", 4),
            ("C[C@@H](N)C(=O)O", 6),
            ("", 0),
            ("[", 1),
        ] {
            assert_eq!(atoms_in(smiles), atoms, "{smiles}");
        }
        let error = fingerprint_of(&"C".repeat(1001), 512).unwrap_err().to_string();
        assert!(error.contains("1001 atoms, expected at most 1000"), "{error}");
    }
}
