//! A dose matrix as a grid: one row per dose of the first drug, one column per dose of the second.

use std::sync::Arc;

use halfmax_core::{Error, Result};

use crate::table::{RawColumn, RawTable, RowPlaces, Values};

/// The doses of a grid that holds readings only.
#[derive(Clone, Debug, Default)]
pub struct GridDoses {
    /// Doses of the rows, from the first row: the first drug.
    pub rows: Option<Vec<f64>>,
    /// Doses of the columns: the second drug.
    pub columns: Option<Vec<f64>>,
}

/// A grid as a list: columns `dose_a`, `dose_b` and `reading`, one row per well. The doses are the given ones, else
/// those on the edges of the grid: the first column, and the header or the first row.
///
/// # Errors
/// If an entry is not a number, if the grid has no doses on its edges and none were given, or if the number of doses
/// does not fit the rows and columns.
pub fn read_grid(table: &RawTable, doses: &GridDoses) -> Result<RawTable> {
    let grid = Grid::of(table)?;
    let (grid, notes) = match (&doses.rows, &doses.columns) {
        (Some(rows), Some(columns)) => (grid.with_doses(table, rows, columns)?, None),
        (None, None) => {
            let note =
                "the doses on the edges are those of the first drug (rows) and of the second (columns)";
            (grid.with_edges(table)?, Some(note.to_owned()))
        }
        _ => {
            return Err(Error::config("only one of doses_a and doses_b (`--doses-a`, `--doses-b`) is given")
                .with_help("set the doses of both rows and columns, or neither"));
        }
    };
    let (mut a, mut b, mut readings, mut places) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, row) in grid.rows.iter().enumerate() {
        for (column, reading) in row.iter().enumerate() {
            a.push(grid.doses[0][at]);
            b.push(grid.doses[1][column]);
            readings.push(*reading);
            places.push(grid.places[at] as u32);
        }
    }
    let column =
        |name: &str, values: Vec<f64>| RawColumn { name: name.into(), values: Values::numbers(values) };
    let columns = vec![column("dose_a", a), column("dose_b", b), column("reading", readings)];
    let mut notes: Vec<String> = notes.into_iter().collect();
    notes.push(format!("a grid of {} by {} doses", grid.doses[0].len(), grid.doses[1].len()));
    let mut built = table.with_columns(columns, notes)?;
    built.places = RowPlaces::Listed(places);
    Ok(built)
}

/// Whether a table could be a grid: only numbers, in columns without meaningful names or with numbers as names.
pub(crate) fn looks_like_a_grid(table: &RawTable) -> bool {
    let speechless = |at: usize| {
        let name = &table.names()[at];
        at == 0 || name.parse::<f64>().is_ok() || *name == format!("column {}", at + 1)
    };
    let columns = table.names().len();
    columns >= 2
        && (0..columns).all(speechless)
        && (1..columns).all(|column| table.is_numeric(column))
        && !table.names()[0].eq_ignore_ascii_case("cell_line")
}

/// The numbers of a grid and of its header.
struct Grid {
    /// The numbers in the header; `None` where a name is not a number.
    header: Vec<Option<f64>>,
    rows: Vec<Vec<f64>>,
    places: Vec<usize>,
    /// The doses of rows and columns, once known.
    doses: [Vec<f64>; 2],
}

impl Grid {
    fn of(table: &RawTable) -> Result<Self> {
        const EXPECTED: &str = "a number: a grid holds doses and readings only";
        let columns: Vec<Arc<Vec<f64>>> = (0..table.names().len())
            .map(|column| match column {
                0 => first_column(table, EXPECTED).map(Arc::new),
                _ => crate::readings::finite(table, column, EXPECTED),
            })
            .collect::<Result<_>>()?;
        let row = |at: usize| columns.iter().map(|column| column[at]).collect();
        Ok(Self {
            header: table.names().iter().map(|name| name.trim().parse().ok()).collect(),
            rows: (0..table.rows()).map(row).collect(),
            places: (0..table.rows()).map(|at| table.row_of(at)).collect(),
            doses: [Vec::new(), Vec::new()],
        })
    }

    fn with_doses(mut self, table: &RawTable, rows: &[f64], columns: &[f64]) -> Result<Self> {
        let width = self.header.len();
        for (flag, given, there, what) in [
            ("doses_a (--doses-a)", rows, self.rows.len(), "row"),
            ("doses_b (--doses-b)", columns, width, "column"),
        ] {
            if given.len() != there {
                return Err(Error::config(format!(
                    "{flag}: {} for {} of {}",
                    crate::report::counted(given.len(), "dose"),
                    crate::report::counted(there, what),
                    table.label()
                ))
                .with_help(format!("give one dose per {what}; 0 where the drug is absent")));
            }
            refuse_impossible(flag, given)?;
        }
        // A header of numbers is a row of readings that was read as names.
        if self.header.iter().all(Option::is_some) {
            return Err(Error::data(format!("{}: the first row was read as column names", table.label()))
                .with_help("add a line of names above it, or write the doses on the edges"));
        }
        self.doses = [rows.to_vec(), columns.to_vec()];
        Ok(self)
    }

    fn with_edges(mut self, table: &RawTable) -> Result<Self> {
        let header: Option<Vec<f64>> = self.header.iter().skip(1).copied().collect();
        let columns = match header {
            Some(doses) => doses,
            None if self.rows.is_empty() => return Err(no_edges(table)),
            None => {
                self.places.remove(0);
                self.rows.remove(0).into_iter().skip(1).collect()
            }
        };
        let rows: Vec<f64> = self.rows.iter().filter_map(|row| row.first().copied()).collect();
        self.rows.iter_mut().for_each(|row| {
            row.remove(0);
        });
        if !are_doses(&rows) || !are_doses(&columns) {
            return Err(no_edges(table));
        }
        self.doses = [rows, columns];
        Ok(self)
    }
}

/// The numbers of the first column. Its first entry, the corner of the grid, may be text.
fn first_column(table: &RawTable, expected: &str) -> Result<Vec<f64>> {
    let labels = table.labels(0)?;
    let number = |row: usize| match labels.at(row) {
        None => Ok(f64::NAN),
        Some(text) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ if row == 0 => Ok(f64::NAN),
            _ => Err(table.bad_value(0, row, text, expected)),
        },
    };
    (0..table.rows()).map(number).collect()
}

fn refuse_impossible(flag: &str, doses: &[f64]) -> Result<()> {
    match doses.iter().find(|dose| !(dose.is_finite() && **dose >= 0.0)) {
        Some(dose) => Err(Error::parameter(flag, dose, "doses, 0 or more, separated by commas")),
        None if !doses.contains(&0.0) => Err(Error::config(format!("{flag}: dose 0 is missing"))
            .with_help("add dose 0, because a matrix needs each drug alone")),
        None => Ok(()),
    }
}

/// Whether an edge holds doses: 0 and other doses, without repeats, in ascending or descending order.
fn are_doses(edge: &[f64]) -> bool {
    let ascending = edge.windows(2).all(|pair| pair[0] < pair[1]);
    let descending = edge.windows(2).all(|pair| pair[0] > pair[1]);
    edge.len() >= 2
        && edge.contains(&0.0)
        && edge.iter().all(|dose| *dose >= 0.0)
        && (ascending || descending)
}

fn no_edges(table: &RawTable) -> Error {
    Error::data(format!("{}: has no doses on its edges (0 and higher ones, in order)", table.label())).with_help(
        "write the doses of the first drug in the first column and those of the second in the first row; or set doses_a for the rows (`--doses-a 0,0.1,1`) and doses_b for the columns (`--doses-b 0,0.5,5`)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::read_bytes;

    fn numbers(table: &RawTable) -> Vec<Vec<f64>> {
        let column = |at| table.numbers(at, "a number").unwrap();
        (0..table.rows()).map(|row| (0..3).map(|at| column(at)[row]).collect()).collect()
    }

    #[test]
    fn doses_stand_on_the_edges_or_are_given() {
        let expected = [
            [0.0, 0.0, 0.5],
            [0.0, 1.5, 20.25],
            [0.0, 3.5, 40.5],
            [2.5, 0.0, 30.5],
            [2.5, 1.5, 50.5],
            [2.5, 3.5, 60.5],
        ];
        for text in [
            ",0.0,1.5,3.5\n0.0,0.5,20.25,40.5\n2.5,30.5,50.5,60.5\n",
            "A/B,0,1.5,3.5\n0,0.5,20.25,40.5\n2.5,30.5,50.5,60.5\n",
        ] {
            let table = read_bytes("g.csv", text.as_bytes()).unwrap();
            let list = read_grid(&table, &GridDoses::default()).unwrap();
            assert_eq!(numbers(&list), expected, "{text}");
        }
        let bare = read_bytes("g.tsv", b"0.5\t20.25\t40.5\n30.5\t50.5\t60.5\n").unwrap();
        let given = GridDoses { rows: Some(vec![0.0, 2.5]), columns: Some(vec![0.0, 1.5, 3.5]) };
        assert_eq!(numbers(&read_grid(&bare, &given).unwrap()), expected);
        assert!(looks_like_a_grid(&bare));
        let error = read_grid(&bare, &GridDoses::default()).unwrap_err();
        assert!(error.help().unwrap().contains("--doses-a"), "{error}");
        let wrong = GridDoses { rows: Some(vec![0.0]), ..given };
        assert!(read_grid(&bare, &wrong).unwrap_err().to_string().contains("1 dose for 2 rows"));
    }
}
