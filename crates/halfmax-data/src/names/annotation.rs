//! Annotations: tables that link the names and ids of each cell line.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use halfmax_core::{Result, listed};

use super::ids::{IdKind, without_decimal_zero};
use super::roles::{Role, RoleColumn, roles, several};
use super::{CellLine, CellLines, Identity, Punctuation, harmonise};
use crate::open::read_table;
use crate::report::{FileReport, FileShape, grouped};
use crate::table::RawTable;

/// An annotation that was added, with a report.
#[derive(Clone, Debug)]
pub struct Annotation {
    /// The file.
    pub table: RawTable,
    /// Its content, its inner contradictions, and its contradictions to earlier knowledge.
    pub report: FileReport,
}

/// One row of an annotation.
struct Row {
    ids: Vec<(IdKind, String)>,
    name: Option<String>,
    aliases: Vec<String>,
    tissue: Option<String>,
}

/// Contradictions within an annotation or to earlier knowledge.
#[derive(Default)]
struct Conflicts {
    /// Rows whose ids belong to several lines.
    ids: Vec<String>,
    /// Names and aliases that already name other lines.
    names: BTreeSet<String>,
    /// Names that two lines with different ids share.
    lines: Vec<String>,
}

impl CellLines {
    /// Adds the cell lines, names and ids of a table. Columns are recognised by their names and by what they hold:
    /// names (`cell_line`, `CellLineName`, `model_name`, `Sample Name`, …), COSMIC, Sanger (SIDM), DepMap (ACH) and
    /// Cellosaurus (CVCL) ids, CCLE names, synonyms (separated by semicolons), tissues. Therefore DepMap's `Model.csv`
    /// and `sample_info.csv`, Sanger's `model_list`, CCLE's `Cell_lines_annotations` and GDSC's `Cell_Lines_Details`
    /// are read as they are published.
    ///
    /// Ids take precedence over names, and names over aliases: a known COSMIC id identifies the line of a row.
    ///
    /// # Errors
    /// If the file cannot be read, or has no column of names or ids.
    pub fn add_annotation(&mut self, path: impl AsRef<Path>) -> Result<Annotation> {
        let table = read_table(path)?;
        let report = self.annotate(&table)?;
        Ok(Annotation { table, report })
    }

    /// Adds the cell lines, names and ids of an open table.
    ///
    /// # Errors
    /// If it has no column of names or ids.
    pub(crate) fn annotate(&mut self, table: &RawTable) -> Result<FileReport> {
        let columns = roles(table, self)?;
        let before = self.lines.len();
        let rows: Vec<Row> = (0..table.rows()).map(|at| row(&columns, at)).collect();
        let mut conflicts = Conflicts::default();
        let own_names: HashSet<String> =
            rows.iter().filter_map(|row| row.name.as_deref()).map(harmonise).collect();
        let mut placed = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            let line = self.line_of(row, (before, &own_names), &mut conflicts, table.row_of(at));
            if let Some(line) = line {
                self.claim_ids(row, line, &mut conflicts);
                self.lines[line].tissue = self.lines[line].tissue.take().or_else(|| row.tissue.clone());
            }
            placed.push(line);
        }
        for (row, line) in rows.iter().zip(&placed) {
            let Some(line) = *line else { continue };
            for alias in row.aliases.iter().filter(|alias| !harmonise(alias).is_empty()) {
                match self.has_other_name(alias, line) {
                    true => _ = conflicts.names.insert(alias.clone()),
                    false => self.claim_alias(alias, line),
                }
            }
        }
        self.name_apart();
        Ok(report(table, &columns, &placed, conflicts))
    }

    /// Whether a text is a known COSMIC id.
    pub(super) fn is_cosmic_id(&self, text: &str) -> bool {
        text.bytes().all(|byte| byte.is_ascii_digit()) && self.by_database_id.contains_key(text)
    }

    /// The line of a row: by its ids (COSMIC first), else by its name, else by an alias that is not the name of another
    /// row, else a new line. `before` is the number of lines before the annotation.
    fn line_of(
        &mut self,
        row: &Row,
        (before, own_names): (usize, &HashSet<String>),
        conflicts: &mut Conflicts,
        at: usize,
    ) -> Option<usize> {
        let of = |(_, id): &(IdKind, String)| self.by_database_id.get(&harmonise(id)).copied();
        let by_ids: Vec<usize> = row.ids.iter().filter_map(of).collect();
        if let Some(line) = by_ids.first().copied() {
            if by_ids.iter().any(|other| *other != line) {
                let names =
                    by_ids.iter().map(|line| self.lines[*line].name.clone()).collect::<BTreeSet<String>>();
                let names: Vec<String> = names.into_iter().collect();
                conflicts.ids.push(format!("row {at} ({})", names.join(", ")));
            }
            if let Some(name) = &row.name {
                self.claim_name(name, line, before, conflicts);
            }
            return Some(line);
        }
        let name = row.name.as_ref().or_else(|| row.aliases.first());
        let aliases = row.aliases.iter().filter(|alias| !own_names.contains(&harmonise(alias)));
        let known = row.name.iter().chain(aliases).find_map(|name| self.known(name, before));
        match (known, name) {
            (Some(line), _) if !self.contradicts(line, row) => {
                if let Some(name) = &row.name {
                    self.claim_name(name, line, before, conflicts);
                }
                Some(line)
            }
            (Some(other), Some(name)) => {
                let line = self.new_line(name);
                let id = &row.ids.first().map_or("", |(_, id)| id);
                conflicts.lines.push(format!("{name} ({id}, row {at}) and {}", self.described(other)));
                self.lines[line].id = format!("{name} ({id})");
                Some(line)
            }
            (_, Some(name)) => {
                let line = self.new_line(name);
                self.claim_name(name, line, before, conflicts);
                Some(line)
            }
            (_, None) => row.ids.first().map(|(_, id)| self.new_line(id)),
        }
    }

    /// The line of a name: a line from before the annotation, or a row above with the same spelling.
    fn known(&self, name: &str, before: usize) -> Option<usize> {
        match self.resolve(name, Punctuation::Kept) {
            Identity::Known(line) if line < before => Some(line),
            Identity::Known(line) if self.by_spelling.contains_key(name) => Some(line),
            _ => None,
        }
    }

    fn described(&self, line: usize) -> String {
        let CellLine { name, cosmic, .. } = &self.lines[line];
        match cosmic {
            Some(cosmic) => format!("{name} (COSMIC id {cosmic})"),
            None => name.clone(),
        }
    }

    /// Whether a row and the line of its name have different ids in some database.
    fn contradicts(&self, line: usize, row: &Row) -> bool {
        let has = |ids: &[(IdKind, String)], wanted: &(IdKind, String)| ids.contains(wanted);
        row.ids.iter().any(|own| {
            let known = &self.ids_of[line];
            known.iter().any(|(kind, _)| *kind == own.0)
                && !row.ids.iter().any(|one| one.0 == own.0 && has(known, one))
        })
    }

    fn claim_ids(&mut self, row: &Row, line: usize, conflicts: &mut Conflicts) {
        for (kind, id) in &row.ids {
            let owner = *self.by_database_id.entry(harmonise(id)).or_insert(line);
            if owner != line {
                conflicts.names.insert(id.clone());
                continue;
            }
            self.ids_of[line].push((*kind, id.clone()));
            if *kind == IdKind::Cosmic {
                self.lines[line].cosmic.get_or_insert_with(|| id.clone());
            }
        }
    }

    fn has_other_name(&self, name: &str, line: usize) -> bool {
        let names = self.by_key.get(&harmonise(name)).map_or(&[][..], |claims| &claims.names);
        !names.is_empty() && !names.contains(&line)
    }

    /// Gives a line a name, unless a line from before the annotation has this name.
    fn claim_name(&mut self, name: &str, line: usize, before: usize, conflicts: &mut Conflicts) {
        let key = harmonise(name);
        if key.is_empty() {
            return;
        }
        let claims = self.by_key.entry(key).or_default();
        if claims.names.contains(&line) {
            let spelt = self.by_spelling.entry(name.to_owned()).or_default();
            if spelt.is_empty() {
                spelt.push(line);
            }
            return;
        }
        if claims.names.iter().any(|other| *other < before) {
            conflicts.names.insert(name.to_owned());
            return;
        }
        claims.names.push(line);
        self.by_spelling.entry(name.to_owned()).or_default().push(line);
    }
}

fn row(columns: &[RoleColumn], at: usize) -> Row {
    let mut row = Row { ids: Vec::new(), name: None, aliases: Vec::new(), tissue: None };
    for RoleColumn { role, texts, .. } in columns {
        let Some(text) = &texts[at] else { continue };
        match role {
            Role::Name => row.name = Some(text.clone()),
            Role::Alias => row.aliases.extend(several(text).map(str::to_owned)),
            Role::Tissue => row.tissue = Some(text.clone()),
            Role::Id(kind) => row
                .ids
                .extend(several(text).map(|id| (*kind, without_decimal_zero(id).unwrap_or(id).to_owned()))),
        }
    }
    row
}

fn report(
    table: &RawTable,
    columns: &[RoleColumn],
    placed: &[Option<usize>],
    conflicts: Conflicts,
) -> FileReport {
    let used = columns.iter().map(|one| {
        let what = match one.role {
            Role::Name => "names".to_owned(),
            Role::Alias => "further names".to_owned(),
            Role::Id(kind) => kind.to_string(),
            Role::Tissue => "tissues".to_owned(),
        };
        format!("{:?} for {what}", table.names()[one.column])
    });
    let mut notes = vec![format!("columns used: {}", used.collect::<Vec<String>>().join(", "))];
    let mut note = |what: &str, names: &[String]| {
        if !names.is_empty() {
            notes.push(format!("{what}: {} ({})", grouped(names.len()), listed(names, 5)));
        }
    };
    note("rows whose ids belong to several cell lines: the COSMIC id is used", &conflicts.ids);
    note("cell lines of one name with different ids, kept separate", &conflicts.lines);
    let names: Vec<String> = conflicts.names.into_iter().collect();
    note("names and ids that already belong to another cell line, not moved", &names);
    let lines: BTreeSet<usize> = placed.iter().flatten().copied().collect();
    FileReport {
        shape: FileShape::of(table, "annotation"),
        matched: lines.len(),
        notes,
        ..FileReport::default()
    }
}
