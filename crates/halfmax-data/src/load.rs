//! Loads a screen: reads all files of a configuration and joins them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use halfmax_core::{
    Category, CellKind, EntityTable, Error, FeatureBlock, FeatureSpace, Responses, Result, Screen, Side,
    Target, ValidationGroup, listed,
};
use serde::Serialize;

use crate::assign::refuse_unfound;
use crate::config::{CellFile, DataConfig, TargetConfig};
use crate::datasets::Dataset;
use crate::drugs::{DrugRecord, DrugSheet, drug_entities};
use crate::feature_table::prepared;
use crate::features::{CellFeatures, TISSUE, at_the_floor, read_cell_features, take_columns, varying};
use crate::file_spec::{TableFile, TableOptions};
use crate::fold_rows::FoldSource;
use crate::names::{CellLines, IdKind, Identified, drug_key, linking_annotation};
use crate::observed::ObservedResponses;
use crate::orientation::{Known, Orientation};
use crate::report::{FileReport, FileShape, LeftOut, LoadReport, range_of};
use crate::responses::{ResponseTable, read_responses};
use crate::roles::Role;
use crate::single_agent::{SingleAgentMeasures, with_single_agents};
use crate::table::RawTable;

/// A screen that was read from files, with information about the reading.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The screen: tables of cell lines and drugs, responses sorted by cell line, then drug.
    pub screen: Screen,
    /// What the responses mean.
    pub target: Target,
    /// The report on what was read, matched and left out.
    pub report: LoadReport,
    /// The sheet's record of each drug of the screen, in the order of the drugs; empty without a sheet.
    pub drug_rows: Vec<DrugRecord>,
    /// The single-agent responses among the features, if any.
    pub single_agents: Option<SingleAgentMeasures>,
    /// The files, for a manifest.
    pub inputs: Vec<InputFile>,
    /// For each kind of block to reduce, the number of most variable features to keep.
    pub top_variance: Vec<(String, usize)>,
    /// The fold of each response, if the split names a fold column.
    pub folds: Option<Vec<Option<usize>>>,
    /// The lowest and the highest tested dose of each response, in µM, if the table of responses gives them.
    pub tested_doses: Option<Vec<Option<[f64; 2]>>>,
    /// See [`ResponseTable::fold_conflicts`].
    pub fold_conflicts: Vec<String>,
    /// Responses of the reference study to drugs in cell lines of the screen, as positions in their tables: (cell line, drug,
    /// response). `None` without one.
    pub reference_study: Option<Vec<(u32, u32, f32)>>,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputFile {
    /// The path; for files that are part of the program, it begins with `dataset:`.
    pub path: String,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// For a file of a fetched dataset: `dataset:NAME/FILE`, which finds it on another machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

impl InputFile {
    pub(crate) fn of(table: &RawTable) -> Self {
        Self {
            path: table.label().to_owned(),
            sha256: table.sha256().to_owned(),
            bytes: table.bytes(),
            dataset: None,
        }
    }
}

/// Reads everything that a configuration names and joins it to a screen. Paths are relative to `base`.
///
/// Keeps the cell lines that have a response and a row in every expression file that is not optional. Keeps the drugs
/// that have a response. Other features may be missing.
///
/// # Errors
/// If a file cannot be used, or nothing is left after joining the files.
pub fn load(
    data: &DataConfig,
    target: &TargetConfig,
    base: &Path,
    folds: Option<FoldSource<'_>>,
) -> Result<Loaded> {
    let mut files = Files::open(data, base)?;
    let mut lines = CellLines::embedded()?;
    let mut inputs = Vec::new();
    let mut annotation_report = None;
    let annotation = data.annotation.as_ref().map(|file| read(file, data, base)).transpose()?;
    refuse_unfound(&data.columns, &files.tables().chain(&annotation).collect::<Vec<_>>())?;
    if let Some(table) = annotation {
        annotation_report = Some(lines.annotate(&table)?);
        inputs.push(InputFile::of(&table));
    }
    let mut responses = read_responses(&files.response, &lines, target, folds)?;
    inputs.append(&mut responses.fold_files);
    let measured: BTreeSet<String> = responses.observed.measured().cloned().collect();
    lines.learn(&responses.identified);
    let in_rows = files.structures_in_rows(responses.combinations)?;
    // Large values are kept once.
    files.response.columns.clear();
    let mut parts = Vec::new();
    for opened in &mut files.cells {
        let table = prepared(&opened.table, opened.kind)?;
        opened.table.columns.clear();
        let known = Known { set: table.orientation, ..Known::lines(&lines) };
        let mut part = read_cell_features(&table, opened.kind, known)?;
        part.report.notes.splice(0..0, table.notes());
        part.name_genes(None);
        lines.learn(&part.identified);
        parts.push((opened.kind, part));
    }
    let required: Vec<bool> = files.cells.iter().map(|opened| opened.required).collect();
    let kept = joined(&measured, &parts, &required, &responses)?;
    parts.iter().try_for_each(|(_, part)| refuse_unjoined(part, &kept, &responses.identified))?;
    responses.warnings.extend(joined_little(&measured, &parts));
    let mut left_out = std::mem::take(&mut responses.left_out);
    note_left_out(&measured, &kept, &required_labels(&parts, &required), &mut left_out);
    let (mut tissues, notes) = tissues(&kept, &lines, &responses);
    let (cells, mut reports) = cell_table(&kept, parts, &mut tissues)?;
    if tissues.is_empty() {
        responses.report.notes.extend(notes);
    }
    responses.observed.keep(|id| kept.contains(id));
    let drug_ids: Vec<String> = responses.observed.treated_with().cloned().collect();
    let sheet = files
        .drugs
        .as_ref()
        .or(in_rows.as_ref())
        .map(|table| DrugSheet::of_drugs(table, &drug_ids))
        .transpose()?;
    let (drugs, drug_report) =
        drug_entities(sheet.as_ref().unwrap_or(&DrugSheet::default()), &drug_ids, &data.drug_features, None)?;
    let drug_rows = sheet.as_ref().map_or_else(Vec::new, |sheet| sheet.records(&drug_ids));
    if sheet.is_some() {
        reports.push(drug_report);
    } else if drugs.block("fingerprint").is_some() {
        let file = format!("{}: names of drugs", files.response.label());
        let shape = FileShape { file, role: "drugs".into(), rows: drugs.len(), ..FileShape::default() };
        reports.push(FileReport { shape, ..drug_report });
    }
    let (cells, drugs, single_agents) = match &data.single_agent {
        None => (cells, drugs, None),
        Some(_) if !responses.combinations => {
            return Err(Error::config("data.single_agent is given, but the responses are to single drugs")
                .with_help("remove it: only screens of combinations use it"));
        }
        Some(_) => {
            let table = files.single_agent.as_ref();
            let table = table.ok_or_else(|| Error::failed("the table of single agents is not open"))?;
            let (cells, drugs, report, measures) =
                with_single_agents(table, &data.single_agent_columns, &lines, cells, drugs)?;
            inputs.push(InputFile::of(table));
            reports.push(report);
            (cells, drugs, Some(measures))
        }
    };
    inputs.extend(files.inputs());
    files.dataset.iter().for_each(|dataset| dataset.label(&mut inputs));
    let observed = std::mem::take(&mut responses.observed);
    let screen = screen_of(&responses.target.name, cells, drugs, &observed)?;
    let folds = folds.map(|_| observed.folds.unwrap_or_default());
    let tested_doses = observed.tested.filter(|all| all.iter().any(Option::is_some));
    let reference_study = match &files.reference_study {
        Some(_) if responses.combinations => {
            return Err(Error::config(
                "data.reference_study is given, but the responses are to combinations of drugs",
            )
            .with_help("remove it: only screens of single drugs have ceilings"));
        }
        Some(table) => {
            let measured =
                TargetConfig { duplicates: target.duplicates, ..TargetConfig::like(&responses.target) };
            let mut again = read_responses(table, &lines, &measured, None)?;
            let joined = join_reference_study(&screen, &again.observed);
            again.report.notes.push(format!(
                "the reference study: {} of its {} responses belong to cell lines and drugs of the screen",
                joined.len(),
                again.observed.len()
            ));
            again.report.notes.append(&mut again.warnings);
            reports.push(again.report);
            Some(joined)
        }
        None => None,
    };
    reports.extend(annotation_report);
    let fold_conflicts = std::mem::take(&mut responses.fold_conflicts);
    let target = responses.target.clone();
    let report = load_report(&screen, responses, reports, left_out);
    Ok(Loaded {
        screen,
        target,
        drug_rows,
        report,
        single_agents,
        inputs,
        top_variance: files.top_variance(),
        folds,
        tested_doses,
        fold_conflicts,
        reference_study,
    })
}

/// The responses whose cell line and drug the screen has, as positions in its tables.
fn join_reference_study(screen: &Screen, observed: &ObservedResponses) -> Vec<(u32, u32, f32)> {
    let by_key: HashMap<String, u32> = screen.table(1).ids().iter().map(|id| drug_key(id)).zip(0..).collect();
    let drugs: Vec<Option<u32>> =
        observed.drugs.iter().map(|drug| by_key.get(&drug_key(drug)).copied()).collect();
    let cells: Vec<Option<usize>> =
        observed.cell_lines.iter().map(|id| screen.table(0).position(id)).collect();
    let join = |at: usize| {
        let cell = cells[observed.of_cell_line[at] as usize]?;
        Some((cell as u32, drugs[observed.of_drug[at] as usize]?, observed.values[at] as f32))
    };
    (0..observed.len()).filter_map(join).collect()
}

/// Reads a file with its options and the declarations for all files.
fn read(file: &TableFile, data: &DataConfig, base: &Path) -> Result<RawTable> {
    let options = TableOptions { everywhere: data.columns.clone(), ..file.options.clone() };
    options.read(&base.join(&file.file))
}

/// A file of cell-line features.
struct OpenedCells {
    kind: CellKind,
    table: RawTable,
    /// The number of most variable features to keep.
    most: Option<usize>,
    /// Whether to leave out cell lines without a row.
    required: bool,
}

impl OpenedCells {
    fn of(file: &CellFile, table: RawTable) -> Self {
        let required = file.kind.is_required() && !file.optional;
        Self { kind: file.kind, table, most: file.top_variance, required }
    }
}

struct Files {
    response: RawTable,
    reference_study: Option<RawTable>,
    cells: Vec<OpenedCells>,
    drugs: Option<RawTable>,
    single_agent: Option<RawTable>,
    dataset: Option<Dataset>,
}

impl Files {
    fn tables(&self) -> impl Iterator<Item = &RawTable> {
        let others = [&self.reference_study, &self.drugs, &self.single_agent];
        std::iter::once(&self.response)
            .chain(others.into_iter().flatten())
            .chain(self.cells.iter().map(|opened| &opened.table))
    }
}

/// Whether `data.response` (or `reference_study`, `single_agent`) beside a dataset is a file rather than the name of one of its
/// tables.
pub fn is_file_name(response: &Path) -> bool {
    response.extension().is_some()
}

/// The name of a dataset's table; `None` for a file.
pub(crate) fn table_name(path: &Path) -> Option<String> {
    (!is_file_name(path)).then(|| path.display().to_string())
}

impl Files {
    fn open(data: &DataConfig, base: &Path) -> Result<Self> {
        if let Some(dataset) = &data.dataset {
            return Self::of_dataset(dataset, data, base);
        }
        let Some(response) = &data.response else {
            return Err(Error::config("data.response is missing: expected the table of responses").with_help(
                "set response = \"file.csv\", or dataset = \"NAME\" for a known dataset (`halfmax data list` lists them)",
            ));
        };
        let mut cells = Vec::new();
        for (at, cell_file) in data.cells.iter().enumerate() {
            let Some(file) = cell_file.table_file() else {
                return Err(Error::config(format!("data.cells[{at}].file is missing: expected a path")));
            };
            cells.push(OpenedCells::of(cell_file, read(&file, data, base)?));
        }
        let drugs = data.drugs.as_ref().map(|file| read(file, data, base)).transpose()?;
        let reference_study = data.reference_study.as_ref().map(|file| read(file, data, base)).transpose()?;
        let single_agent = data.single_agent.as_ref().map(|file| read(file, data, base)).transpose()?;
        let response = read(response, data, base)?;
        Ok(Self { response, reference_study, cells, drugs, single_agent, dataset: None })
    }

    fn of_dataset(dataset: &str, data: &DataConfig, base: &Path) -> Result<Self> {
        let dataset = Dataset::open(dataset, data.data_dir.as_deref())?;
        let mut cells = Vec::new();
        if data.cells.is_empty() {
            for kind in dataset.usual_cells() {
                let required = kind.is_required();
                cells.push(OpenedCells { kind, table: dataset.cells(kind)?, most: None, required });
            }
        }
        for cell_file in &data.cells {
            let table = match cell_file.table_file() {
                Some(file) => read(&file, data, base)?,
                None => dataset.cells(cell_file.kind)?,
            };
            cells.push(OpenedCells::of(cell_file, table));
        }
        let drugs = match &data.drugs {
            Some(file) => Some(read(file, data, base)?),
            None => dataset.drugs()?,
        };
        let responses = |key: &str, file: &TableFile| match table_name(&file.file) {
            Some(name) => dataset.response(key, Some(&name)),
            None => read(file, data, base),
        };
        let response = match &data.response {
            Some(file) => responses("data.response", file)?,
            None => dataset.response("data.response", None)?,
        };
        let reference_study =
            data.reference_study.as_ref().map(|path| responses("data.reference_study", path)).transpose()?;
        let alone = |file: &TableFile| match table_name(&file.file) {
            Some(name) => dataset.single_agent(&name),
            None => read(file, data, base),
        };
        let single_agent = data.single_agent.as_ref().map(alone).transpose()?;
        Ok(Self { response, reference_study, cells, drugs, single_agent, dataset: Some(dataset) })
    }

    /// The drugs of the response table with their structures, one row each, if there is no drug sheet and the table has
    /// structures.
    fn structures_in_rows(&self, combinations: bool) -> Result<Option<RawTable>> {
        let roles = (self.response.role(Role::Drug), self.response.role(Role::Smiles));
        let (Some(drug), Some(_), None, false) = (roles.0, roles.1, &self.drugs, combinations) else {
            return Ok(None);
        };
        let labels = self.response.labels(drug)?;
        let mut rows: Vec<Option<usize>> = vec![None; labels.names.len()];
        for (row, label) in labels.of_row.iter().enumerate() {
            if let Some(first) = rows.get_mut(*label as usize) {
                first.get_or_insert(row);
            }
        }
        let rows: Vec<usize> = rows.into_iter().flatten().collect();
        let of_drugs = [Role::Drug, Role::Smiles, Role::Targets, Role::TargetPathway];
        let columns: Vec<usize> = of_drugs.iter().filter_map(|role| self.response.role(*role)).collect();
        let mut table = self.response.with_rows(&rows);
        // The other columns describe the response, not its drug.
        table.ignored = (0..table.names().len()).filter(|column| !columns.contains(column)).collect();
        table.notes = vec!["the structures of the drugs are in the table of responses".into()];
        Ok(Some(table))
    }

    fn inputs(&self) -> Vec<InputFile> {
        let cells = self.cells.iter().map(|opened| &opened.table);
        std::iter::once(&self.response)
            .chain(&self.reference_study)
            .chain(cells)
            .chain(&self.drugs)
            .map(InputFile::of)
            .collect()
    }

    fn top_variance(&self) -> Vec<(String, usize)> {
        let thinned = self.cells.iter().filter_map(|opened| Some((opened.kind, opened.most?)));
        thinned.map(|(kind, most)| (kind.name().to_owned(), most)).collect()
    }
}

/// The cell lines with a response and a row in every required file.
fn joined(
    measured: &BTreeSet<String>,
    parts: &[(CellKind, CellFeatures)],
    required: &[bool],
    responses: &ResponseTable,
) -> Result<BTreeSet<String>> {
    let mut kept = measured.clone();
    for ((_, part), _) in parts.iter().zip(required).filter(|(_, required)| **required) {
        let ids: HashSet<&String> = part.ids.iter().collect();
        kept.retain(|id| ids.contains(id));
    }
    if !kept.is_empty() {
        return Ok(kept);
    }
    let named = |part: &CellFeatures| format!("{} has {}", part.report.shape.file, called(&part.identified));
    let mut sets = vec![format!("{} has {}", responses.report.shape.file, called(&responses.identified))];
    sets.extend(parts.iter().map(|(_, part)| named(part)));
    let other = parts.first().map_or(IdKind::Name, |(_, part)| kind_of(&part.identified));
    Err(Error::data(format!(
        "no cell line with a response is in every {} file: {}",
        required_labels(parts, required),
        sets.join("; ")
    ))
    .with_help(format!(
        "check that the files contain the same cell lines; or {}",
        linking_annotation(kind_of(&responses.identified), other)
    )))
}

/// The first few cell-line names of a file.
fn called(file: &Identified) -> String {
    let mut names: Vec<&String> = file.spellings.values().filter_map(|names| names.first()).collect();
    names.sort_by_key(|name| (name.len() > 24, *name));
    let kind = match kind_of(file) {
        IdKind::Name => String::new(),
        kind => format!(", {kind}"),
    };
    format!("{} ({}{kind})", names.len(), listed(&names, 5))
}

fn kind_of(file: &Identified) -> IdKind {
    IdKind::of_most(file.spellings.values().filter_map(|names| names.first()).map(String::as_str))
}

/// Refuses a file if no cell line joins.
fn refuse_unjoined(part: &CellFeatures, kept: &BTreeSet<String>, responses: &Identified) -> Result<()> {
    if part.ids.iter().any(|id| kept.contains(id)) {
        return Ok(());
    }
    let file = &part.report.shape.file;
    let (own, other) = (called(&part.identified), called(responses));
    Err(Error::data(format!(
        "{file}: no cell line has a response: the file has {own}, the responses have {other}"
    ))
    .with_help(format!(
        "remove the file, or {}",
        linking_annotation(kind_of(responses), kind_of(&part.identified))
    )))
}

/// Warns about files that join poorly: fewer than half of the cell lines that they could share with the responses.
fn joined_little(measured: &BTreeSet<String>, parts: &[(CellKind, CellFeatures)]) -> Vec<String> {
    let warning = |(_, part): &(CellKind, CellFeatures)| {
        let common = part.ids.iter().filter(|id| measured.contains(*id)).count();
        let most = part.ids.len().min(measured.len());
        let without: Vec<&String> = part.ids.iter().filter(|id| !measured.contains(*id)).collect();
        (2 * common < most).then(|| {
            format!(
                "{}: only {common} of its {} cell lines have responses; without responses: {}",
                part.report.shape.file,
                part.ids.len(),
                listed(&without, 5)
            )
        })
    };
    parts.iter().filter_map(warning).collect()
}

/// What the required files hold, in words.
fn required_labels(parts: &[(CellKind, CellFeatures)], required: &[bool]) -> String {
    let mut labels: Vec<&str> = Vec::new();
    for ((kind, _), _) in parts.iter().zip(required).filter(|(_, required)| **required) {
        if !labels.contains(&kind.label()) {
            labels.push(kind.label());
        }
    }
    if labels.is_empty() { "feature".into() } else { labels.join(" and ") }
}

fn note_left_out(
    measured: &BTreeSet<String>,
    kept: &BTreeSet<String>,
    labels: &str,
    left_out: &mut Vec<LeftOut>,
) {
    let without: Vec<String> = measured.difference(kept).cloned().collect();
    if !without.is_empty() {
        left_out.push(LeftOut::new("cell lines", &format!("responses but no {labels}"), &without));
    }
}

/// The tissue of each kept cell line, from the lists of cell lines, else from the table of responses, with notes. A
/// label of the table (COREAD) is replaced by the word that the lists give to most lines with this label (Bowel). Two
/// words for one tissue would split it into two groups.
fn tissues(
    kept: &BTreeSet<String>,
    lines: &CellLines,
    responses: &ResponseTable,
) -> (Vec<Option<String>>, Vec<String>) {
    let listed_tissue = |id: &String| lines.with_id(id).and_then(|line| line.tissue.clone());
    let mut words: BTreeMap<&String, BTreeMap<String, usize>> = BTreeMap::new();
    for (id, label) in &responses.tissues {
        if let Some(word) = listed_tissue(id) {
            *words.entry(label).or_default().entry(word).or_default() += 1;
        }
    }
    let word_of = |label: &String| {
        let most = words.get(label).and_then(|words| words.iter().rev().max_by_key(|(_, count)| **count));
        most.map_or_else(|| label.clone(), |(word, _)| word.clone())
    };
    let mut added: Vec<String> = Vec::new();
    let tissues = kept
        .iter()
        .map(|id| {
            listed_tissue(id).or_else(|| {
                let word = word_of(responses.tissues.get(id)?);
                added.push(format!("{id} as {word}"));
                Some(word)
            })
        })
        .collect();
    let note = format!(
        "cell lines unknown to the lists, with the tissue of this table: {} ({})",
        added.len(),
        listed(&added, 5)
    );
    (tissues, if added.is_empty() { Vec::new() } else { vec![note] })
}

/// The table of cell lines: each file's blocks in the order of the ids, and the tissue as a grouping: from a file, else
/// the known tissues, which are taken.
fn cell_table(
    kept: &BTreeSet<String>,
    parts: Vec<(CellKind, CellFeatures)>,
    known_tissues: &mut Vec<Option<String>>,
) -> Result<(EntityTable, Vec<FileReport>)> {
    let mut table = EntityTable::new(kept.iter().cloned(), "cell line")?;
    let mut reports = Vec::new();
    let mut tissue: Option<Vec<Option<String>>> = None;
    for (_, part) in parts {
        let CellFeatures { ids, blocks, tissue: own_tissue, mut report, .. } = part;
        let place: HashMap<&String, usize> = ids.iter().enumerate().map(|(at, id)| (id, at)).collect();
        let order: Vec<Option<usize>> = kept.iter().map(|id| place.get(id).copied()).collect();
        report.matched = order.iter().flatten().count();
        report.unmatched = ids.iter().filter(|id| !kept.contains(*id)).cloned().collect();
        if report.matched < kept.len() {
            let absent: Vec<&String> = kept.iter().filter(|id| !place.contains_key(id)).collect();
            report.notes.push(format!(
                "cell lines of the screen without a row here, whose values are missing: {} ({})",
                absent.len(),
                listed(&absent, 5)
            ));
        }
        let own_tissue = own_tissue.filter(|labels| {
            let mut known = labels.iter().flatten();
            let first = known.next();
            labels.len() < 2 || known.any(|label| Some(label) != first)
        });
        let varying: Vec<Vec<usize>> = blocks.iter().map(varying).collect();
        let constant =
            |(block, columns): (&FeatureBlock, &Vec<usize>)| block.entities() > 1 && columns.is_empty();
        if !blocks.is_empty() && blocks.iter().zip(&varying).all(constant) {
            return Err(Error::data(format!("{}: every feature is constant", report.shape.file))
                .with_help("check that the file holds the intended values"));
        }
        for (block, columns) in blocks.into_iter().zip(varying) {
            if table.block(&block.kind).is_some() && block.kind == TISSUE {
                report.notes.push("its tissue is not used: an earlier file gives the tissue".into());
                continue;
            }
            let Some(block) = without_constants(block, &columns, &mut report)? else { continue };
            table = table.with_block(block.into_order(&order)).map_err(|error| {
                error.with_context(&report.shape.file).with_help("give each kind of features once")
            })?;
        }
        if let (None, Some(own)) = (&tissue, own_tissue) {
            tissue = Some(order.iter().map(|at| at.and_then(|at| own[at].clone())).collect());
        }
        reports.push(report);
    }
    let tissue = tissue.unwrap_or_else(|| std::mem::take(known_tissues));
    if tissue.iter().any(Option::is_some) {
        table = table.with_group("tissue", Category::from_labels(&tissue)?)?;
    }
    Ok((table, reports))
}

/// The block without constant features (those not in `varying`); `None` if all features are constant.
fn without_constants(
    block: FeatureBlock,
    varying: &[usize],
    report: &mut FileReport,
) -> Result<Option<FeatureBlock>> {
    let floor = at_the_floor(&block);
    if floor > 0 {
        report.notes.push(format!(
            "{floor} features of {} have the lowest value in every cell line: placeholders, not measurements",
            block.kind
        ));
    }
    if varying.len() == block.len() || block.entities() < 2 {
        return Ok(Some(block));
    }
    report.constant += block.len() - varying.len();
    if varying.is_empty() {
        report.notes.push(format!(
            "no feature of {} is used: every feature is constant ({})",
            block.kind,
            listed(&block.names, 5)
        ));
        return Ok(None);
    }
    take_columns(&block, varying).map(Some)
}

fn screen_of(
    target: &str,
    cells: EntityTable,
    drugs: EntityTable,
    observed: &ObservedResponses,
) -> Result<Screen> {
    let placed = |table: &EntityTable, names: &[String], of: &[u32]| -> Result<Vec<u32>> {
        let places: Vec<Option<u32>> =
            names.iter().map(|id| table.position(id).and_then(|at| u32::try_from(at).ok())).collect();
        let place = |at: &u32| {
            places[*at as usize].ok_or_else(|| {
                let id = &names[*at as usize];
                Error::failed(format!("{} {id:?} is not in its table", table.entity_kind()))
            })
        };
        of.iter().map(place).collect()
    };
    let cell_of = placed(&cells, &observed.cell_lines, &observed.of_cell_line)?;
    let drug_of = placed(&drugs, &observed.drugs, &observed.of_drug)?;
    let second_of = placed(&drugs, &observed.drugs, &observed.of_drug_b)?;
    let values = observed.values.iter().map(|value| *value as f32).collect();
    let (mut entities, mut sides) = (vec![cell_of, drug_of], vec![Side::cell_line(0), Side::drug(1)]);
    if !second_of.is_empty() {
        entities.push(second_of);
        sides.push(Side::drug_b(1));
    }
    Screen::new(target, vec![cells, drugs], sides, Responses::new(entities, values, None)?)
}

/// A drug with fewer responses is reported as poorly measured.
const FEW_RESPONSES: usize = 5;

/// Warnings about drugs that have few responses or always the same response.
fn poor_drugs(screen: &Screen) -> Vec<String> {
    let (responses, drugs) = (&screen.responses, screen.table(1));
    let mut found: Vec<(usize, f32, f32)> = vec![(0, f32::INFINITY, f32::NEG_INFINITY); drugs.len()];
    for side in 1..responses.sides() {
        for (drug, value) in responses.side(side).iter().zip(responses.values()) {
            let own = &mut found[*drug as usize];
            *own = (own.0 + 1, own.1.min(*value), own.2.max(*value));
        }
    }
    let named = |which: &dyn Fn(&(usize, f32, f32)) -> bool| -> Vec<&str> {
        let poor = drugs.ids().iter().zip(&found).filter(|(_, own)| which(own));
        poor.map(|(id, _)| id.as_str()).collect()
    };
    let few = named(&|own| own.0 < FEW_RESPONSES);
    let constant = named(&|own| own.0 >= FEW_RESPONSES && own.1 == own.2);
    let mut warnings = Vec::new();
    if !few.is_empty() {
        warnings.push(format!(
            "{} drugs have fewer than {FEW_RESPONSES} responses, so models learn little about them: {}",
            few.len(),
            listed(&few, 5)
        ));
    }
    if !constant.is_empty() {
        warnings.push(format!(
            "{} drugs have the same response in every cell line, so models learn nothing about them: {}",
            constant.len(),
            listed(&constant, 5)
        ));
    }
    warnings
}

fn load_report(
    screen: &Screen,
    responses: ResponseTable,
    reports: Vec<FileReport>,
    left_out: Vec<LeftOut>,
) -> LoadReport {
    let (cell_lines, drugs) = (screen.tables[0].len(), screen.tables[1].len());
    let count = screen.responses.len();
    let combinations =
        responses.combinations.then(|| screen.all().groups(ValidationGroup::Combination).count());
    let mut warnings = responses.warnings;
    let mut first = responses.report;
    first.matched = count;
    let mut ambiguous = BTreeMap::new();
    for name in std::iter::once(&first).chain(&reports).flat_map(|report| &report.ambiguous) {
        ambiguous.insert(name.clone(), ());
    }
    if !ambiguous.is_empty() {
        let names: Vec<&String> = ambiguous.keys().collect();
        warnings.push(format!(
            "ambiguous names, which could mean several cell lines, left out where a file has no punctuation: {}",
            listed(&names, 5)
        ));
    }
    warnings.extend(poor_drugs(screen));
    LoadReport {
        files: std::iter::once(first).chain(reports).collect(),
        target: match responses.target.taken_from {
            Some(_) => responses.target.label(),
            None => screen.target.clone(),
        },
        cell_lines,
        drugs,
        combinations,
        responses: count,
        density: count as f64 / (cell_lines * combinations.unwrap_or(drugs)).max(1) as f64,
        range: range_of(screen.responses.values().iter().map(|value| f64::from(*value))).unwrap_or_default(),
        left_out,
        warnings,
    }
}

/// Reads cell lines to score from one or more files. If the kind of a file is not given, its content decides: `*_mut`
/// columns or a tissue factor mean events, 0 and 1 mutations, text categories, other numbers expression. Columns named
/// `kind/feature` state their kind. The cell lines of all files are united; values that a file lacks are missing.
///
/// With the feature space of the scoring model, the features of the model also decide the orientation of tables, and
/// features get the model's names of the same genes. `set` fixes the orientation of the files instead of detecting it.
///
/// # Errors
/// If a file cannot be read, its orientation is ambiguous, or two files hold the same kind.
pub fn read_cells_for_scoring<F: Clone + Into<TableFile>>(
    files: &[(F, Option<CellKind>)],
    space: Option<&FeatureSpace>,
    set: Option<Orientation>,
) -> Result<(EntityTable, Vec<FileReport>)> {
    let mut lines = CellLines::embedded()?;
    let mut parts = Vec::new();
    for (file, kind) in files {
        let table = Into::<TableFile>::into(file.clone()).open()?;
        let set = table.orientation.or(set);
        let kind = match kind {
            Some(kind) => *kind,
            None => crate::inspect::cell_kind(&table).ok_or_else(|| {
                Error::data(format!("{}: not recognised as features of cell lines", table.label()))
                    .with_help("expected a column cell_line and one column per feature")
            })?,
        };
        let table = prepared(&table, kind)?;
        let part = read_cell_features(&table, kind, Known { lines: &lines, model: space, set })?;
        let mut part = by_prefix(part)?;
        part.report.notes.splice(0..0, table.notes());
        part.name_genes(space);
        lines.learn(&part.identified);
        parts.push((kind, part));
    }
    let all: BTreeSet<String> = parts.iter().flat_map(|(_, part)| part.ids.iter().cloned()).collect();
    if all.is_empty() {
        return Err(Error::data("the files name no cell line").with_help("fill the column of cell lines"));
    }
    let mut table = EntityTable::new(all.iter().cloned(), "cell line")?;
    let mut reports = Vec::new();
    for (_, part) in parts {
        let place: HashMap<&String, usize> = part.ids.iter().enumerate().map(|(at, id)| (id, at)).collect();
        let order: Vec<Option<usize>> = all.iter().map(|id| place.get(id).copied()).collect();
        for block in part.blocks {
            table = table
                .with_block(block.into_order(&order))
                .map_err(|error| error.with_context(&part.report.shape.file))?;
        }
        reports.push(FileReport { matched: part.ids.len(), ..part.report });
    }
    Ok((table, reports))
}

/// Splits a block whose features are named `kind/feature` into blocks of those kinds.
fn by_prefix(mut part: CellFeatures) -> Result<CellFeatures> {
    let mut blocks = Vec::new();
    for block in part.blocks {
        let mut kinds: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (column, name) in block.names.iter().enumerate() {
            let kind = name.split_once('/').map_or(block.kind.as_str(), |(kind, _)| kind);
            kinds.entry(kind.to_owned()).or_default().push(column);
        }
        for (kind, columns) in kinds {
            let taken = take_columns(&block, &columns)?;
            let names: Vec<String> = taken
                .names
                .iter()
                .map(|name| name.strip_prefix(&format!("{kind}/")).unwrap_or(name).to_owned())
                .collect();
            blocks.push(FeatureBlock::new(kind, names, taken.values)?);
        }
    }
    part.blocks = blocks;
    Ok(part)
}
