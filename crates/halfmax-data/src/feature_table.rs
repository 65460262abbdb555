//! Published tables of cell-line features, reduced to features. Row numbers, further names, texts, responses and
//! profiles that are not the default are set aside. Lists of mutations become matrices.

use std::collections::{BTreeMap, BTreeSet};

use halfmax_core::{CellKind, Error, KindValues, Result, listed};

use crate::profile::Content;
use crate::report::grouped;
use crate::roles::Role;
use crate::separating::Repeats;
use crate::table::{Labels, LabelsBuilder, RawColumn, RawTable, Values};
use crate::wide::drug_and_quantity;

/// The table of one kind of features: the key column first, then only features (and texts, for events and categories).
///
/// # Errors
/// If no column could be a feature, or the table is a list whose content does not fit the kind.
pub(crate) fn prepared(table: &RawTable, kind: CellKind) -> Result<RawTable> {
    if let Some(matrix) = listed_values(table, kind)? {
        return Ok(matrix);
    }
    if let Some(matrix) = mutation_matrix(table, kind)? {
        return Ok(matrix);
    }
    table.refuse_without_header()?;
    let defaults = default_entries(table)?;
    let table = defaults.as_ref().unwrap_or(table);
    let key = key_of(table, kind);
    let mut notes = table.notes();
    let mut kept = vec![key];
    let mut aside: Vec<(Why, String)> = Vec::new();
    for column in (0..table.names().len()).filter(|column| *column != key) {
        match why_aside(table, kind, column, key) {
            Some(why) => aside.push((why, table.names()[column].clone())),
            None => kept.push(column),
        }
    }
    if kept.len() == 1 {
        return Err(no_features(table, key, &aside));
    }
    for why in Why::ALL {
        let names: Vec<&str> =
            aside.iter().filter(|(own, _)| *own == why).map(|(_, name)| name.as_str()).collect();
        if !names.is_empty() && why.is_told() {
            let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            notes.push(format!("not features, set aside: {} ({})", listed(&names, 5), why.text()));
        }
    }
    cleared(table, key, &kept, notes)
}

/// Why a column is not a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Ignored,
    RowNumber,
    Names,
    Response,
    Text,
    Mark,
    Nested,
}

impl Why {
    const ALL: [Self; 7] =
        [Self::Ignored, Self::RowNumber, Self::Names, Self::Response, Self::Text, Self::Mark, Self::Nested];

    fn text(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::RowNumber => "row numbers",
            Self::Names => "further names of the cell lines",
            Self::Response => "responses to drugs: they would leak the answer to a model",
            Self::Text => "texts",
            Self::Mark => "marks of default entries",
            Self::Nested => "lists or structures",
        }
    }

    fn is_told(self) -> bool {
        !matches!(self, Self::Ignored)
    }
}

fn why_aside(table: &RawTable, kind: CellKind, column: usize, key: usize) -> Option<Why> {
    let name = &table.names()[column];
    let has = |role: Role| table.roles_of_column(column).contains(&role);
    match table.content(column) {
        _ if table.is_ignored(column) => Some(Why::Ignored),
        Content::Nested => Some(Why::Nested),
        Content::RowNumber => Some(Why::RowNumber),
        _ if has(Role::DefaultEntry) => Some(Why::Mark),
        _ if has(Role::CellLine) && table.roles_of_column(key).contains(&Role::CellLine) => Some(Why::Names),
        _ if is_response(name) => Some(Why::Response),
        Content::Texts | Content::Categories | Content::Ids(_) | Content::NumberLists
            if kind.texts().is_none() && !mostly_numbers(table, column) =>
        {
            Some(Why::Text)
        }
        _ => None,
    }
}

/// Names that only responses have, never genes or events.
fn is_response(name: &str) -> bool {
    const RESPONSES: [&str; 16] = [
        "ic50",
        "lnic50",
        "logic50",
        "log10ic50",
        "pic50",
        "auc",
        "aac",
        "actarea",
        "activityarea",
        "ec50",
        "lnec50",
        "gi50",
        "gr50",
        "emax",
        "dss",
        "areaundercurve",
    ];
    let bare = crate::units::split_unit(crate::roles::bare_of_fitter(name)).0;
    RESPONSES.contains(&crate::columns::plain(&bare).as_str()) || drug_and_quantity(name).is_some()
}

/// Whether most entries of a text column are numbers. The few others are then damaged, and the reader names them.
fn mostly_numbers(table: &RawTable, column: usize) -> bool {
    let Ok(labels) = table.labels(column) else { return false };
    let numbers = labels.names.iter().filter(|text| text.parse::<f64>().is_ok()).count();
    let logical =
        labels.names.iter().all(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "false"));
    2 * numbers > labels.names.len() || (logical && !labels.names.is_empty())
}

/// The column that names the rows: the declared column, else cell lines, else genes, else the first column that does
/// not hold row numbers.
fn key_of(table: &RawTable, kind: CellKind) -> usize {
    let gene = if kind.is_named_by_genes() { table.role(Role::Gene) } else { None };
    let holds_names = |column: &usize| {
        let content = table.content(*column);
        !table.is_ignored(*column)
            && !content.is_number()
            && !matches!(content, Content::RowNumber | Content::Empty)
    };
    let first = (0..table.names().len()).find(holds_names);
    // Skip a column of row numbers only if another column can hold the names.
    table.key.or_else(|| table.role(Role::CellLine)).or(gene).or(first).unwrap_or(0)
}

/// The table with its key column first and without unnamed rows.
fn cleared(table: &RawTable, key: usize, kept: &[usize], mut notes: Vec<String>) -> Result<RawTable> {
    let columns: Vec<RawColumn> = kept.iter().map(|column| table.columns[*column].clone()).collect();
    let keys = table.labels(key)?;
    let named: Vec<usize> = (0..table.rows()).filter(|row| keys.at(*row).is_some()).collect();
    if named.len() < table.rows() {
        notes.push(format!(
            "rows without a name in {:?}, left out: {}",
            table.names()[key],
            grouped(table.rows() - named.len())
        ));
    }
    let mut cleared = table.with_columns(columns, notes)?;
    cleared.places = table.places.clone();
    cleared.orientation = table.orientation;
    if table.said.iter().any(|(role, column)| *role == Role::CellLine && *column == key) {
        cleared.said.push((Role::CellLine, 0));
    }
    cleared.key = table.key.map(|_| 0);
    Ok(if named.len() < table.rows() { cleared.with_rows(&named) } else { cleared })
}

fn no_features(table: &RawTable, key: usize, aside: &[(Why, String)]) -> Error {
    let described: Vec<String> =
        aside.iter().map(|(why, name)| format!("{name:?} ({})", why.text())).collect();
    let rest = if described.is_empty() { "nothing else".to_owned() } else { listed(&described, 5) };
    Error::data(format!(
        "{}: holds no features of cell lines: besides {:?} it has {rest}",
        table.label(),
        table.names()[key]
    ))
    .with_help("give one numeric column per feature besides the names; responses belong in [data] response, texts in kind = \"category\"")
}

/// Keeps only the default profile of each cell line, if a column marks it and some cell line has several profiles.
fn default_entries(table: &RawTable) -> Result<Option<RawTable>> {
    let (Some(mark), Some(cell)) = (table.role(Role::DefaultEntry), table.role(Role::CellLine)) else {
        return Ok(None);
    };
    let cells = table.labels(cell)?;
    if cells.names.len() == table.rows() {
        return Ok(None);
    }
    let marks = table.labels(mark)?;
    let yes = |text: &str| ["yes", "true", "1", "y"].contains(&text.to_ascii_lowercase().as_str());
    let kept: Vec<usize> = (0..table.rows()).filter(|row| marks.at(*row).is_some_and(yes)).collect();
    if kept.is_empty() {
        return Err(Error::data(format!(
            "{}: column {:?} marks no row as a default entry",
            table.label(),
            table.names()[mark]
        ))
        .with_help("expected Yes, True or 1 in one row of each cell line"));
    }
    let mut defaults = table.with_rows(&kept);
    defaults.notes.push(
        format!(
            "profiles that are not the default of their cell line ({}), left out: {}",
            table.names()[mark],
            grouped(table.rows() - kept.len())
        )
        .into(),
    );
    Ok(Some(defaults))
}

/// Ambiguous column names: such a column may say whether a cell line has the feature of the row.
const PERHAPS_PRESENT: [&str; 3] = ["mutation", "mutant", "mut"];

/// Column names that say whether a cell line has the feature of the row.
const PRESENT: [&str; 8] = [
    "is_mutated",
    "mutated",
    "is_mutant",
    "mutation_status",
    "is_altered",
    "altered",
    "is_present",
    "present",
];

/// Whether a column says yes or no: 0 and 1, or true and false.
fn is_yes_or_no(table: &RawTable, column: usize) -> bool {
    let logical = |text: &String| matches!(text.to_ascii_lowercase().as_str(), "true" | "false");
    match &table.columns[column].values {
        Values::Texts(labels) => !labels.names.is_empty() && labels.names.iter().all(logical),
        _ => table.content(column) == Content::Binary,
    }
}

/// The column that says whether a cell line has the feature of the row; `None` if no column has such a name.
///
/// # Errors
/// If a column with such a name holds other content, and no variant class says which rows count.
fn present_of_list(table: &RawTable) -> Result<Option<usize>> {
    let named = |names: &[&str]| table.find(names).filter(|column| !table.is_ignored(*column));
    let found = [named(&PRESENT), named(&PERHAPS_PRESENT)];
    if let Some(column) = found.into_iter().flatten().find(|column| is_yes_or_no(table, *column)) {
        return Ok(Some(column));
    }
    match found[0] {
        Some(column) if !table.has_surely(Role::VariantClass) => {
            let name = &table.names()[column];
            Err(Error::data(format!(
                "{}: column {name:?} seems to say whether a gene is mutated, but holds neither 0 and 1 nor true and false",
                table.label()
            ))
            .with_help(format!("write 0 and 1; or set it aside with columns = {{ ignore = [{name:?}] }}, so that every row is a mutation")))
        }
        _ => Ok(None),
    }
}

/// The value column of a list with one cell line and one feature per row; `None` for other tables.
///
/// # Errors
/// If several columns of numbers could be the values.
fn value_of_list(table: &RawTable, kind: CellKind) -> Result<Option<usize>> {
    let present = present_of_list(table)?;
    if present.is_some() {
        return Ok(present);
    }
    if !matches!(kind.values(), KindValues::Numbers { .. }) || table.has_surely(Role::VariantClass) {
        return Ok(None);
    }
    let numbers: Vec<usize> = (0..table.names().len())
        .filter(|column| !table.is_ignored(*column) && table.profile(*column).content.is_number())
        .filter(|column| table.roles_of_column(*column).is_empty())
        .collect();
    match numbers.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        several => {
            let names: Vec<String> =
                several.iter().map(|column| format!("{:?}", table.names()[*column])).collect();
            let others: Vec<&str> = names[1..].iter().map(String::as_str).collect();
            Err(Error::data(format!(
                "{}: a list with one cell line and one gene per row, but {} columns could hold its values: {}",
                table.label(),
                names.len(),
                listed(&names, 5)
            ))
            .with_help(format!(
                "ignore the others: columns = {{ ignore = [{}] }}; for a list of mutations, set kind = \"mutation\"",
                others.join(", ")
            )))
        }
    }
}

/// The rows with a value for each gene and cell line, and the number of rows without a gene or a cell line.
fn rows_of_pairs(
    cells: &Labels,
    genes: &Labels,
    values: &[f64],
) -> (BTreeMap<(u32, u32), Vec<usize>>, usize) {
    let mut rows: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
    let mut unnamed = 0;
    for (row, value) in values.iter().enumerate() {
        if cells.at(row).is_none() || genes.at(row).is_none() {
            unnamed += 1;
        } else if !value.is_nan() {
            rows.entry((genes.of_row[row], cells.of_row[row])).or_default().push(row);
        }
    }
    (rows, unnamed)
}

/// A list of values, with one row per cell line and feature, as a matrix of cell lines × features. `None` for other
/// tables.
///
/// # Errors
/// If several columns could hold the values, or repeats of a cell line and feature differ in a column that
/// distinguishes measurements.
fn listed_values(table: &RawTable, kind: CellKind) -> Result<Option<RawTable>> {
    let (true, true) = (table.has_surely(Role::CellLine), table.has_surely(Role::Gene)) else {
        return Ok(None);
    };
    let (Some(cell), Some(gene)) = (table.role(Role::CellLine), table.role(Role::Gene)) else {
        return Ok(None);
    };
    let (cells, genes) = (table.labels(cell)?, table.labels(gene)?);
    let is_list = cells.names.len() < table.rows() && genes.names.len() < table.rows();
    if cell == gene || !(is_list || present_of_list(table)?.is_some()) {
        return Ok(None);
    }
    let Some(value) = value_of_list(table, kind)? else { return Ok(None) };
    let values = table.numbers(value, "a number")?;
    let (rows, unnamed) = rows_of_pairs(&cells, &genes, &values);
    let repeats = rows.values().filter(|rows| rows.len() > 1).map(Vec::as_slice);
    let repeats =
        Repeats { what: "genes in a cell line", groups: repeats.collect(), used: &[cell, gene, value] };
    let (repeated, pooled) = (repeats.groups.len(), repeats.check(table)?);
    let binary = is_yes_or_no(table, value);
    let of_pair = |pair: (u32, u32)| {
        let Some(rows) = rows.get(&pair) else { return f64::NAN };
        let all = rows.iter().map(|row| values[*row]);
        if binary { all.fold(0.0, f64::max) } else { all.sum::<f64>() / rows.len() as f64 }
    };
    let mut keys = LabelsBuilder::default();
    cells.names.iter().for_each(|name| keys.push(Some(name)));
    let mut columns =
        vec![RawColumn { name: table.names()[cell].clone(), values: Values::texts(keys.finish()) }];
    for (at, name) in genes.names.iter().enumerate() {
        let values = (0..cells.names.len()).map(|cell| of_pair((at as u32, cell as u32))).collect();
        columns.push(RawColumn { name: name.clone(), values: Values::numbers(values) });
    }
    let mut notes = table.notes();
    notes.push(format!(
        "a list with one cell line and one feature per row ({}, {}), converted to a matrix of {:?}",
        table.names()[cell],
        table.names()[gene],
        table.names()[value]
    ));
    if repeated > 0 {
        let how = if binary { "1 if any entry is 1" } else { "averaged" };
        notes.push(format!(
            "features of a cell line that are listed more than once, {how}: {}",
            grouped(repeated)
        ));
    }
    notes.extend(pooled);
    if unnamed > 0 {
        notes.push(format!("rows without a cell line or a feature, left out: {}", grouped(unnamed)));
    }
    let mut matrix = table.with_columns(columns, notes)?;
    matrix.said.push((Role::CellLine, 0));
    Ok(Some(matrix))
}

/// A list of mutations, one per row, as a matrix of cell lines × genes: 1 if a gene has a mutation that is not silent,
/// else 0. `None` for other tables.
///
/// # Errors
/// If the kind is neither mutations nor events.
fn mutation_matrix(table: &RawTable, kind: CellKind) -> Result<Option<RawTable>> {
    let (Some(cell), Some(gene)) = (table.role(Role::CellLine), table.role(Role::Gene)) else {
        return Ok(None);
    };
    if cell == gene {
        return Ok(None);
    }
    let (cells, genes) = (table.labels(cell)?, table.labels(gene)?);
    if cells.names.len() == table.rows() && table.role(Role::VariantClass).is_none() {
        return Ok(None);
    }
    if kind.values() != KindValues::ZeroOrOne {
        return Err(Error::data(format!(
            "{}: a list of mutations, one per row, but its kind is {:?}",
            table.label(),
            kind.name()
        ))
        .with_help("set kind = \"mutation\""));
    }
    let class = table.role(Role::VariantClass).map(|column| table.labels(column)).transpose()?;
    let silent: Vec<bool> = class.iter().flat_map(|class| &class.names).map(|name| is_silent(name)).collect();
    let mut pairs: BTreeSet<(u32, u32)> = BTreeSet::new();
    let (mut quiet, mut unnamed) = (0, 0);
    for row in 0..table.rows() {
        if cells.at(row).is_none() || genes.at(row).is_none() {
            unnamed += 1;
        } else if class.as_ref().is_some_and(|class| silent.get(class.of_row[row] as usize) == Some(&true)) {
            quiet += 1;
        } else {
            pairs.insert((genes.of_row[row], cells.of_row[row]));
        }
    }
    let used: Vec<u32> = pairs.iter().map(|(gene, _)| *gene).collect::<BTreeSet<u32>>().into_iter().collect();
    if used.is_empty() {
        return Err(Error::data(format!("{}: every mutation of the list is silent", table.label())));
    }
    let mut lines = cells.names.clone();
    lines.extend(table.lines_before_choice.iter().filter(|name| !cells.names.contains(name)).cloned());
    let mut keys = LabelsBuilder::default();
    lines.iter().for_each(|name| keys.push(Some(name)));
    let mut columns =
        vec![RawColumn { name: table.names()[cell].clone(), values: Values::texts(keys.finish()) }];
    for gene in &used {
        let mutated = |cell: usize| f64::from(u8::from(pairs.contains(&(*gene, cell as u32))));
        let values = (0..lines.len()).map(mutated).collect();
        columns
            .push(RawColumn { name: genes.names[*gene as usize].clone(), values: Values::numbers(values) });
    }
    let mut notes = table.notes();
    notes.push(format!(
        "a list of {} mutations: 1 for a gene with a mutation that is not silent ({} of {} rows), 0 for the other genes of a listed cell line",
        grouped(table.rows()),
        grouped(table.rows() - quiet - unnamed),
        grouped(table.rows())
    ));
    if lines.len() > cells.names.len() {
        notes.push(format!(
            "cell lines of the list without a chosen row, 0 for every gene: {} ({})",
            grouped(lines.len() - cells.names.len()),
            listed(&lines[cells.names.len()..], 5)
        ));
    }
    if unnamed > 0 {
        notes.push(format!("rows without a cell line or a gene, left out: {}", grouped(unnamed)));
    }
    let mut matrix = table.with_columns(columns, notes)?;
    matrix.said.push((Role::CellLine, 0));
    Ok(Some(matrix))
}

/// Whether a variant class changes no protein: silent, synonymous, or outside the coding sequence. Every class of a
/// joined entry (`stop_lost&3_prime_UTR_variant`) must be silent.
fn is_silent(class: &str) -> bool {
    let parts: Vec<String> = class
        .split(['&', ',', ';', '|'])
        .map(crate::columns::plain)
        .filter(|part| !part.is_empty())
        .collect();
    let synonymous = |part: &String| part.contains("synonymous") && !part.contains("nonsynonymous");
    let outside = |part: &String| {
        let rna = part.ends_with("rna") || part.contains("mirna") || part.contains("ncrna");
        let words = ["silent", "intron", "utr", "flank", "igr", "intergenic", "upstream", "downstream"];
        (rna || words.iter().any(|word| part.contains(word))) && !part.contains("splice")
    };
    // A splice region beside a synonymous change only gives the place of that change.
    let spared = parts.iter().any(synonymous);
    let is_silent =
        |part: &String| synonymous(part) || outside(part) || (spared && part.contains("spliceregion"));
    !parts.is_empty() && parts.iter().all(is_silent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::read_bytes;

    fn clear(text: &str, kind: CellKind) -> Result<RawTable> {
        prepared(&read_bytes("t.csv", text.as_bytes()).unwrap(), kind)
    }

    #[test]
    fn numbers_of_rows_and_texts_are_no_features() {
        let table = clear(
            "X,cell_line,note,G1,AUC\n2,A,aa,1.5,0.2\n9,B,bb,2.5,0.3\n4,C,cc,0.5,0.1\n",
            CellKind::EXPRESSION,
        )
        .unwrap();
        assert_eq!(table.names(), ["cell_line", "G1"]);
        let notes = table.notes().join("\n");
        assert!(
            notes.contains("\"X\" (row numbers)")
                && notes.contains("\"AUC\" (responses")
                && notes.contains("\"note\" (texts)"),
            "{notes}"
        );
    }

    #[test]
    fn a_table_of_responses_or_numbers_only_is_refused() {
        let error =
            clear("COSMIC_ID,Drug_1_IC50,Drug_2_IC50\n905949,1.5,2\n905946,2.5,3\n", CellKind::EXPRESSION)
                .unwrap_err();
        assert!(error.to_string().contains("\"Drug_1_IC50\" (responses"), "{error}");
        let error = clear("cell_line,index\nA,0\nB,1\nC,2\n", CellKind::EXPRESSION).unwrap_err();
        assert!(error.to_string().contains("\"index\" (row numbers)"), "{error}");
    }

    #[test]
    fn genes_come_first_and_titles_are_set_aside() {
        let table = clear("GENE_SYMBOLS,GENE_title,DATA.905949,DATA.905946\nTP53,tumour protein,1.5,2\n,no gene,3,4\nKRAS,a title,2.5,3\n", CellKind::EXPRESSION).unwrap();
        assert_eq!(table.names(), ["GENE_SYMBOLS", "DATA.905949", "DATA.905946"]);
        assert_eq!(table.rows(), 2);
        assert_eq!(table.row_of(1), 4);
    }

    #[test]
    fn mutations_in_a_list_become_a_matrix() {
        let text = "Hugo_Symbol,Variant_Classification,Tumor_Sample_Barcode\nTP53,Missense_Mutation,A\nTP53,Silent,B\nKRAS,Missense_Mutation,B\nKRAS,Nonsense_Mutation,A\n";
        let table = clear(text, CellKind::MUTATION).unwrap();
        assert_eq!(table.names(), ["Tumor_Sample_Barcode", "TP53", "KRAS"]);
        assert_eq!(*table.numbers(1, "0 or 1").unwrap(), [1.0, 0.0]);
        assert_eq!(*table.numbers(2, "0 or 1").unwrap(), [1.0, 1.0]);
        assert!(clear(text, CellKind::EXPRESSION).unwrap_err().help().unwrap().contains("mutation"));
    }

    #[test]
    fn a_list_that_says_no_is_not_mutated() {
        let rows = |name: &str, yes: &str, no: &str| {
            format!(
                "cell_line,gene,{name}\nA,TP53,{yes}\nA,KRAS,{no}\nB,TP53,{no}\nB,KRAS,{yes}\nC,TP53,{no}\n"
            )
        };
        for text in
            [rows("is_mutated", "True", "False"), rows("mutation", "1", "0"), rows("mutated", "1", "0")]
        {
            let table = clear(&text, CellKind::MUTATION).unwrap();
            let tp53 = table.names().iter().position(|name| name == "TP53").unwrap();
            assert_eq!(*table.numbers(tp53, "0 or 1").unwrap(), [1.0, 0.0, 0.0], "{text}");
        }
        let once = "cell_line,gene,is_mutated\nA,TP53,True\nA,KRAS,False\n";
        let table = clear(once, CellKind::MUTATION).unwrap();
        assert_eq!(table.names().len(), 3);
        let error = clear(&rows("mutation_status", "MUT", "WT"), CellKind::MUTATION).unwrap_err();
        assert!(
            error.to_string().contains("mutation_status") && error.to_string().contains("0 and 1"),
            "{error}"
        );
    }

    #[test]
    fn values_in_a_list_become_a_matrix() {
        let text = "entrez_id,cell_line,tpm\n7157,A,1.5\n3845,A,2\n7157,B,3\n7157,B,4\n";
        let table = clear(text, CellKind::EXPRESSION).unwrap();
        assert_eq!(table.names(), ["cell_line", "7157", "3845"]);
        assert_eq!(*table.numbers(1, "a number").unwrap(), [1.5, 3.5]);
        assert!(table.numbers(2, "a number").unwrap()[1].is_nan());
        let notes = table.notes().join("\n");
        assert!(notes.contains("listed more than once, averaged: 1"), "{notes}");
        let two = "gene,cell_line,tpm,rpkm\nTP53,A,1.5,2\nKRAS,A,2,2.5\nTP53,B,3,2\n";
        let error = clear(two, CellKind::EXPRESSION).unwrap_err();
        assert!(error.to_string().contains("\"tpm\", \"rpkm\""), "{error}");
        assert!(error.help().unwrap().contains("ignore = [\"rpkm\"]"), "{error}");
        let times = "gene,cell_line,time,tpm\nTP53,A,0,2.5\nTP53,A,24,3.5\nKRAS,B,0,2.5\nTP53,B,0,1.5\n";
        let error = clear(times, CellKind::EXPRESSION).unwrap_err();
        assert!(error.to_string().contains("\"time\" (times) distinguishes measurements"), "{error}");
        let marks =
            "cell_line,genetic_feature,is_mutated\nA,TP53_mut,1\nA,KRAS_mut,0\nB,TP53_mut,0\nB,KRAS_mut,1\n";
        let table = clear(marks, CellKind::EVENTS).unwrap();
        assert_eq!(*table.numbers(2, "0 or 1").unwrap(), [0.0, 1.0]);
    }

    #[test]
    fn classes_that_change_no_protein() {
        for class in [
            "Silent",
            "SILENT",
            "synonymous_variant",
            "Intron",
            "3'UTR",
            "5'Flank",
            "RNA",
            "lincRNA",
            "splice_region_variant&synonymous_variant",
        ] {
            assert!(is_silent(class), "{class}");
        }
        for class in [
            "Missense_Mutation",
            "nonsynonymous SNV",
            "Splice_Site",
            "FRAME_SHIFT_DEL",
            "MUTATION",
            "Internal_tandem_duplication",
            "stop_lost&3_prime_UTR_variant",
        ] {
            assert!(!is_silent(class), "{class}");
        }
    }
}
