//! Folds as lists of rows of the table of responses, as IMPROVE publishes them.

use std::collections::HashMap;
use std::path::PathBuf;

use halfmax_core::{Error, Result};

use crate::digest::sha256_bytes;
use crate::load::InputFile;
use crate::open::read_file;
use crate::report::{counted, grouped};
use crate::table::RawTable;

/// The source of folds that a split does not draw itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoldSource<'a> {
    /// In a column of the table of responses.
    Column(&'a str),
    /// In files that list rows of the table of responses, one number a line, 0 for the first below the header: a file for each fold.
    Rows(&'a [PathBuf]),
}

/// The folds of the rows of a table.
#[derive(Debug)]
pub(crate) struct FoldsOfRows {
    /// The fold of each row; `None` if no file lists it.
    pub folds: Vec<Option<usize>>,
    /// The files, for a manifest.
    pub inputs: Vec<InputFile>,
    pub note: String,
}

impl FoldsOfRows {
    /// Reads the files, one for each fold.
    ///
    /// # Errors
    /// If a line is not a row number, a row is in two files, or a file lists no row of the table.
    pub fn read(table: &RawTable, files: &[PathBuf]) -> Result<Self> {
        // The header is row 1 of the file, the first row of values row 2.
        let place_of: HashMap<usize, usize> =
            (0..table.rows()).map(|at| (table.row_of(at).wrapping_sub(2), at)).collect();
        let mut folds: Vec<Option<usize>> = vec![None; table.rows()];
        let (mut inputs, mut listed, mut absent) = (Vec::new(), 0, 0);
        for (fold, path) in files.iter().enumerate() {
            let label = path.display().to_string();
            let bytes = read_file(path)?;
            let mut found = 0;
            for (line, number) in row_numbers(&label, &bytes)? {
                listed += 1;
                let Some(at) = place_of.get(&number) else {
                    absent += 1;
                    continue;
                };
                found += 1;
                match folds[*at].replace(fold) {
                    Some(other) if other != fold => {
                        return Err(Error::data(format!(
                            "{label}: line {line}: row {number} of {} is also in {}",
                            table.label(),
                            files[other].display()
                        ))
                        .with_help("list files that share no row: the test file of each fold, or the test, train and validation files of a single fold, with only_folds = [0]"));
                    }
                    _ => {}
                }
            }
            if found == 0 {
                return Err(Error::data(format!(
                    "{label}: no listed row is among the {} of {}",
                    counted(table.rows(), "row"),
                    table.label()
                ))
                .with_help("row 0 is the first row below the header; check that the file belongs to this table, and which rows `where` chose"));
            }
            inputs.push(InputFile {
                path: label,
                sha256: sha256_bytes(&bytes),
                bytes: bytes.len() as u64,
                dataset: None,
            });
        }
        let mut note = format!("folds: {} by {}", counted(listed, "row"), counted(files.len(), "file"));
        if absent > 0 {
            note += &format!("; rows not used: {}", grouped(absent));
        }
        Ok(Self { folds, inputs, note })
    }
}

/// The row numbers of a file with their lines.
fn row_numbers(label: &str, bytes: &[u8]) -> Result<Vec<(usize, usize)>> {
    let text = std::str::from_utf8(bytes).map_err(|_| {
        Error::data(format!("{label}: not UTF-8 text"))
            .with_help("write one row number per line, counted from 0")
    })?;
    let lines = text.lines().zip(1..).map(|(text, line)| (line, text.trim()));
    let number = |(line, text): (usize, &str)| match text.parse() {
        Ok(number) => Ok((line, number)),
        Err(_) => Err(Error::data(format!("{label}: line {line}: {text:?}: expected the number of a row"))
            .with_help(
                "write one whole number per line, 0 for the first row below the header of the responses",
            )),
    };
    lines.filter(|(_, text)| !text.is_empty()).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::read_bytes;

    fn read(files: &[&str]) -> Result<FoldsOfRows> {
        let table = read_bytes("r.csv", b"cell_line,drug,auc\nA,x,1\nB,x,2\nC,x,3\nD,x,4\n").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = |(at, text): (usize, &&str)| {
            let path = folder.path().join(format!("{at}.txt"));
            std::fs::write(&path, text).unwrap();
            path
        };
        let paths: Vec<PathBuf> = files.iter().enumerate().map(path).collect();
        FoldsOfRows::read(&table, &paths)
    }

    #[test]
    fn each_file_is_a_fold() {
        let found = read(&["3\n0\n", "1\r\n17\n\n"]).unwrap();
        assert_eq!(found.folds, [Some(0), Some(1), None, Some(0)]);
        assert_eq!(found.inputs.len(), 2);
        assert_eq!(found.note, "folds: 4 rows by 2 files; rows not used: 1");
    }

    #[test]
    fn rows_that_cannot_be_are_refused() {
        for (files, words) in [
            (["0\n", "1\n0\n"], ["1.txt: line 2: row 0 of r.csv is also in", "share no row"]),
            (["0\n", "1.5\n"], ["1.txt: line 1: \"1.5\"", "whole number"]),
            (["0\n", "99\n"], ["1.txt: no listed row is among the 4 rows", "first row below the header"]),
        ] {
            let error = read(&files).unwrap_err();
            let text = format!("{error} {}", error.help().unwrap_or_default());
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}
