//! Makes the tables of a dataset from the published files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use halfmax_core::{Error, Result};
use halfmax_data::datasets::Make;
use halfmax_data::pickle::{Vector, read_pickle};
use halfmax_data::{OutputColumn, TableWriter, write_atomically, write_csv};
use halfmax_datasets::GDSC_TARGETS;

use crate::texts::Texts;

/// Makes a file from the bytes of its parts; see [`Make`]. The ending of its name sets the format: `.parquet`, `.csv` or `.csv.gz`.
///
/// # Errors
/// If a part has unexpected content, or the file cannot be written.
pub fn make(how: Make, parts: &[Vec<u8>], path: &Path) -> Result<()> {
    let table = match (how, parts) {
        (Make::AsIs, [bytes]) => return write_atomically(path, |out| out.write_all(bytes)),
        (Make::CellsByGenes, [cells, genes]) => cells_by_genes(cells, genes)?,
        (Make::Responses, [ic50, auc]) => responses(ic50, auc)?,
        (Make::DrugSheet, [smiles, first, second]) => drug_sheet(smiles, &[first, second])?,
        (Make::GeneRows, [matrix, genes]) => gene_rows(matrix, genes)?,
        _ => return Err(Error::failed("the number of parts of a file does not fit its kind")),
    };
    write(&table, path)
}

fn unreadable(what: &str, error: impl ToString) -> Error {
    Error::data(format!("{what} cannot be read")).with_source(error.to_string())
}

/// A table to write: its columns, each with its name.
type Table = Vec<(String, Values)>;

/// The values of a column.
enum Values {
    Texts(Vec<String>),
    Small(Vec<i8>),
    Singles(Vec<f32>),
    Numbers(Vec<f64>),
}

impl Values {
    fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Texts(texts.into_iter().map(str::to_owned).collect())
    }

    /// The texts; empty for a column of numbers.
    fn texts(&self) -> Vec<&str> {
        match self {
            Self::Texts(texts) => texts.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

fn texts(what: &str, bytes: &[u8]) -> Result<Texts> {
    Texts::read(bytes).map_err(|error| unreadable(what, error))
}

/// The texts of a column; missing values are empty.
fn column<'a>(what: &str, table: &'a Texts, name: &str) -> Result<Vec<&'a str>> {
    table.column(name).map_err(|error| unreadable(what, error))
}

/// The lines of a list of genes.
fn lines(bytes: &[u8]) -> Result<Vec<&str>> {
    let text = std::str::from_utf8(bytes).map_err(|error| unreadable("the list of genes", error))?;
    Ok(text.split_whitespace().collect())
}

/// A table of cell lines × genes, with cell lines in the order of their names.
fn cells_by_genes(pickle: &[u8], genes: &[u8]) -> Result<Table> {
    let genes = lines(genes)?;
    let read = read_pickle(pickle)?;
    let entries = read.root().entries().ok_or_else(|| {
        Error::data(format!("the pickle holds {}, expected a dictionary of cell lines", read.root().kind()))
    })?;
    // Each number needs at least one byte of the pickle.
    if entries.len().saturating_mul(genes.len()) > pickle.len() {
        return Err(Error::data("the pickle is too small for its cell lines and genes"));
    }
    let mut cells: BTreeMap<&str, Vector> = BTreeMap::new();
    for (name, values) in entries {
        let name = name.text().ok_or_else(|| Error::data("a cell line of the pickle has no name"))?;
        let values = values.vector().map_err(|error| error.with_context(name))?;
        if values.len() != genes.len() {
            let (found, expected) = (values.len(), genes.len());
            return Err(Error::data(format!(
                "cell line {name} has {found} values, expected {expected} genes"
            )));
        }
        if cells.insert(name, values).is_some() {
            return Err(Error::data(format!("cell line {name} occurs twice")));
        }
    }
    let names: Vec<&str> = cells.keys().copied().collect();
    let mut columns = vec![("cell_line".to_owned(), Values::of_texts(names))];
    for (at, gene) in genes.iter().enumerate() {
        columns.push(((*gene).to_owned(), gene_values(gene, at, cells.values())?));
    }
    Ok(columns)
}

/// The values of one gene: whole numbers of 8 bits, or numbers of 32 bits rounded to 3 decimals.
fn gene_values<'a>(gene: &str, at: usize, cells: impl Iterator<Item = &'a Vector> + Clone) -> Result<Values> {
    let whole = |vector: &Vector| match vector {
        Vector::Integers(values) => i8::try_from(values[at]).ok(),
        _ => None,
    };
    let real = |vector: &Vector| match vector {
        Vector::Float32(values) => Some((values[at] * 1000.0).round_ties_even() / 1000.0),
        _ => None,
    };
    if let Some(values) = cells.clone().map(whole).collect::<Option<Vec<i8>>>() {
        return Ok(Values::Small(values));
    }
    let values = cells.map(real).collect::<Option<Vec<f32>>>();
    let values = values.filter(|values| values.iter().all(|value| value.is_finite()));
    values.map(Values::Singles).ok_or_else(|| {
        Error::data(format!(
            "gene {gene} has values that are neither small whole numbers nor numbers of 32 bits"
        ))
    })
}

/// Responses with ln IC50 and AUC, from two tables of the same experiments in the same order.
fn responses(ic50: &[u8], auc: &[u8]) -> Result<Table> {
    let (ic50, auc) = (texts("the table of ln IC50", ic50)?, texts("the table of AUC", auc)?);
    let mut columns = Vec::new();
    for key in ["CELL_LINE_NAME", "DRUG_NAME"] {
        let own = column("the table of ln IC50", &ic50, key)?;
        if own != column("the table of AUC", &auc, key)? {
            return Err(Error::data(format!("the tables of ln IC50 and AUC differ in {key}")));
        }
        columns.push((key.to_owned(), Values::of_texts(own)));
    }
    for (table, name) in [(&ic50, "LN_IC50"), (&auc, "AUC")] {
        columns.push((name.to_owned(), Values::of_texts(column(name, table, name)?)));
    }
    Ok(columns)
}

/// Every drug of the response tables and of the SMILES, by name, with its known SMILES, targets and pathway.
fn drug_sheet(smiles: &[u8], responses: &[&Vec<u8>]) -> Result<Table> {
    let read = read_pickle(smiles)?;
    let entries = read.root().entries().into_iter().flatten();
    let smiles: HashMap<&str, &str> =
        entries.filter_map(|(name, text)| Some((name.text()?, text.text()?))).collect();
    let mut names: BTreeSet<String> = smiles.keys().map(|name| (*name).to_owned()).collect();
    for bytes in responses {
        let table = texts("a table of responses", bytes)?;
        names.extend(column("a table of responses", &table, "DRUG_NAME")?.into_iter().map(str::to_owned));
    }
    let targets = texts("the list of targets", GDSC_TARGETS.as_bytes())?;
    let mut by_key = Vec::new();
    for key in ["targets", "target_pathway"] {
        let drugs = column("the list of targets", &targets, "drug")?;
        let own: HashMap<&str, &str> =
            drugs.into_iter().zip(column("the list of targets", &targets, key)?).collect();
        by_key.push((key, own));
    }
    by_key.insert(0, ("smiles", smiles));
    let drugs: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut columns = vec![("drug".to_owned(), Values::of_texts(drugs.iter().copied()))];
    for (key, known) in by_key {
        let values = drugs.iter().map(|drug| known.get(drug).copied().unwrap_or_default());
        columns.push((key.to_owned(), Values::of_texts(values)));
    }
    Ok(columns)
}

/// A matrix of genes × cell lines with the symbols of the genes, rounded to 4 decimals.
fn gene_rows(matrix: &[u8], genes: &[u8]) -> Result<Table> {
    let (matrix, genes) = (texts("the matrix", matrix)?, texts("the list of genes", genes)?);
    let symbols = column("the list of genes", &genes, "symbol")?;
    if symbols.len() != matrix.rows {
        let (rows, expected) = (matrix.rows, symbols.len());
        return Err(Error::data(format!("the matrix has {rows} rows, expected {expected} genes")));
    }
    let mut columns = vec![("symbol".to_owned(), Values::of_texts(symbols))];
    for (name, texts) in &matrix.columns {
        let rounded = |text: &str| text.parse().ok().map(|value: f64| (value * 1e4).round_ties_even() / 1e4);
        let values: Option<Vec<f64>> = texts.iter().map(|text| rounded(text)).collect();
        let values = values.ok_or_else(|| Error::data(format!("column {name} of the matrix has a gap")))?;
        columns.push((name.clone(), Values::Numbers(values)));
    }
    Ok(columns)
}

fn write(table: &Table, path: &Path) -> Result<()> {
    let texts: Vec<Vec<&str>> = table.iter().map(|(_, values)| values.texts()).collect();
    let mut known = BTreeSet::new();
    if let Some((name, _)) = table.iter().find(|(name, _)| !known.insert(name)) {
        return Err(Error::data(format!("the table has two columns {name:?}")));
    }
    let columns = table.iter().zip(&texts).map(|((name, values), texts)| {
        let column = match values {
            Values::Texts(_) => OutputColumn::Text(texts),
            Values::Small(values) => OutputColumn::I8(values),
            Values::Singles(values) => OutputColumn::F32(values),
            Values::Numbers(values) => OutputColumn::F64(values),
        };
        (name.as_str(), column)
    });
    let columns: Vec<(&str, OutputColumn)> = columns.collect();
    let name = path.to_string_lossy().to_ascii_lowercase();
    if name.ends_with(".parquet") {
        let mut writer = TableWriter::create(path)?;
        writer.write(&columns)?;
        return writer.finish();
    }
    write_atomically(path, |out| match name.ends_with(".gz") {
        false => write_csv(out, &columns),
        true => {
            let mut gzip = flate2::write::GzEncoder::new(out, flate2::Compression::default());
            write_csv(&mut gzip, &columns)?;
            gzip.finish().map(|_| ())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(how: Make, parts: &[&[u8]], name: &str) -> Result<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
        make(how, &parts, &path)?;
        let mut text = String::new();
        match name.ends_with(".gz") {
            true => {
                use std::io::Read as _;
                let file = std::fs::File::open(path).unwrap();
                flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
            }
            false => text = std::fs::read_to_string(path).unwrap(),
        }
        Ok(text)
    }

    const LISTS: &[u8] = include_bytes!("../../halfmax-data/src/pickle/fixtures/lists-protocol-4.pkl");
    const TENSORS: &[u8] = include_bytes!("../../halfmax-data/src/pickle/fixtures/tensors-protocol-4.pkl");

    #[test]
    fn vectors_become_rows() {
        let table = made(Make::CellsByGenes, &[LISTS, b"TP53\nKRAS\nMYC\n"], "mutation.csv").unwrap();
        assert_eq!(table, "cell_line,TP53,KRAS,MYC\nA549,1,0,-1\nHELA,0,1,1\n");
        let table = made(Make::CellsByGenes, &[TENSORS, b"TP53\nKRAS\nMYC\n"], "expression.csv").unwrap();
        assert_eq!(table, "cell_line,TP53,KRAS,MYC\nA549,1.5,-2.25,0.5\nHELA,0.0,3.0,-1.0\n");
        let error = made(Make::CellsByGenes, &[LISTS, b"TP53\nKRAS\n"], "a.csv").unwrap_err();
        assert!(error.to_string().contains("has 3 values, expected 2 genes"), "{error}");
    }

    #[test]
    fn responses_are_joined_only_if_they_are_the_same_experiments() {
        let ic50 = b"CELL_LINE_NAME,DRUG_NAME,LN_IC50\nA549,\"Brivanib, BMS-540215\",-0.000042\n";
        let auc = b"CELL_LINE_NAME,DRUG_NAME,AUC\nA549,\"Brivanib, BMS-540215\",0.5\n";
        let table = made(Make::Responses, &[ic50, auc], "response.csv.gz").unwrap();
        assert_eq!(
            table,
            "CELL_LINE_NAME,DRUG_NAME,LN_IC50,AUC\nA549,\"Brivanib, BMS-540215\",-0.000042,0.5\n"
        );
        let other = b"CELL_LINE_NAME,DRUG_NAME,AUC\nA549,Erlotinib,0.5\n";
        let error = made(Make::Responses, &[ic50, other], "response.csv").unwrap_err();
        assert!(error.to_string().contains("differ in DRUG_NAME"));
    }

    #[test]
    fn drugs_have_what_is_known_of_them() {
        // {"Erlotinib": "CC"}
        let smiles = b"\x80\x04}\x8c\x09Erlotinib\x8c\x02CCs.";
        let first = b"CELL_LINE_NAME,DRUG_NAME,LN_IC50\nA549,Unheard of,1\nA549,Erlotinib,1\n";
        let table = made(Make::DrugSheet, &[smiles, first, first], "drugs.csv").unwrap();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "drug,smiles,targets,target_pathway");
        assert_eq!(lines[1], "Erlotinib,CC,EGFR,EGFR signaling");
        assert!(lines[2].starts_with("Unheard of,"));
    }

    #[test]
    fn a_matrix_gets_its_symbols() {
        let table = made(
            Make::GeneRows,
            &[b"A549,HELA\n0.12345,1\n-2,3.00005\n", b"entrez,symbol\n1,A\n2,B\n"],
            "e.csv",
        );
        assert_eq!(table.unwrap(), "symbol,A549,HELA\nA,0.1234,1.0\nB,-2.0,3.0\n");
        assert!(made(Make::GeneRows, &[b"A549\n1\n", b"entrez,symbol\n1,A\n2,B\n"], "e.csv").is_err());
        assert!(made(Make::GeneRows, &[b"A549\n\n", b"entrez,symbol\n1,A\n"], "e.csv").is_err());
    }
}
