//! Finds the header row: rows before it, further rows of names, a missing header, or a header that is one name short.

use halfmax_core::{Error, Result, listed};

use crate::missing::is_missing;
use crate::number::{NumberStyle, plain_number, styled_number};
use crate::table::{Header, LabelsBuilder, RawColumn, RawTable, RowPlaces, Values};

/// The interpretation of the first rows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heading {
    /// The names of the columns.
    pub names: Vec<String>,
    /// The number of rows before the first row of values.
    pub body: usize,
    /// Whether the names are in the file.
    pub header: Header,
    /// Notes on unusual decisions.
    pub notes: Vec<String>,
}

/// The largest number of text rows before the header.
const MOST_PREAMBLE: usize = 30;

/// Interprets the first rows of a table. `sample` holds about sixty rows; `width` is the number of fields of most rows.
pub(super) fn heading(sample: &[Vec<String>], width: usize) -> Heading {
    let mut notes = Vec::new();
    let before = preamble(sample, width);
    if before > 0 {
        notes.push(format!("rows before the header: {before} ({})", shortened(&sample[0].join(" "))));
    }
    let Some(first) = sample.get(before) else {
        return Heading {
            names: (1..=width).map(|at| format!("column {at}")).collect(),
            body: before,
            header: Header::Missing,
            notes,
        };
    };
    let below = &sample[before + 1..];
    if first.len() == width && looks_like_values(first, below) {
        notes.push(format!(
            "there is no header row: the first row ({}) looks like the other rows, so the columns are named \"column 1\" to \"column {width}\"",
            listed(first, 4)
        ));
        let names = (1..=width).map(|at| format!("column {at}")).collect();
        return Heading { names, body: before, header: Header::Missing, notes };
    }
    let mut names: Vec<String> =
        first.iter().map(|name| name.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    fit(&mut names, below, width, &mut notes);
    let more = further_names(below, width);
    if more > 0 {
        let what: Vec<&str> =
            below[..more].iter().filter_map(|row| row.first().map(String::as_str)).collect();
        notes.push(format!(
            "further rows of names below the header, set aside: {more} ({})",
            listed(&what, 3)
        ));
    }
    Heading { names, body: before + 1 + more, header: Header::Found, notes }
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The number of rows before the header: titles and remarks, with fewer entries than a table row.
fn preamble(sample: &[Vec<String>], width: usize) -> usize {
    let filled = |row: &Vec<String>| row.iter().filter(|field| !field.trim().is_empty()).count();
    let is_table = |at: usize| {
        let row = &sample[at];
        let names_all_but_one = row.len() + 1 == width && filled(row) == row.len() && width > 1;
        let next = sample.get(at + 1).is_some_and(|next| next.len() == width);
        match () {
            () if width <= 2 => row.len() == width || (names_all_but_one && next),
            // A header that is one name short stands directly above the rows, and the next row has values.
            () if names_all_but_one => next && has_numbers(&sample[at + 1]),
            () => row.len() >= width && filled(row) * 2 > width.min(6),
        }
    };
    (0..sample.len().min(MOST_PREAMBLE)).find(|at| is_table(*at)).unwrap_or(0)
}

fn is_number(field: &str) -> bool {
    let field = field.trim();
    plain_number(field).is_some() || styled_number(field, NumberStyle::Comma).is_some()
}

fn has_numbers(row: &[String]) -> bool {
    row.iter().any(|field| is_number(field))
}

/// The columns that hold only numbers and missing values in these rows.
fn numeric_columns(rows: &[Vec<String>], width: usize) -> Vec<usize> {
    let numeric = |column: &usize| {
        let mut fields =
            rows.iter().filter_map(|row| row.get(*column)).filter(|field| !is_missing(field)).peekable();
        fields.peek().is_some() && fields.all(|field| is_number(field))
    };
    (0..width).filter(numeric).collect()
}

/// Whether a row holds values and not names: a fraction above a column of numbers, or texts that recur below.
fn looks_like_values(row: &[String], below: &[Vec<String>]) -> bool {
    if below.is_empty() || row.iter().any(|field| crate::columns::is_known_name(field)) {
        return false;
    }
    let numeric = numeric_columns(below, row.len());
    let fraction = |field: &str| {
        let number = plain_number(field.trim()).or_else(|| styled_number(field.trim(), NumberStyle::Comma));
        number.is_some_and(|number| number.fract() != 0.0 || field.contains(['e', 'E']))
    };
    let fractions = numeric.iter().filter(|column| fraction(&row[**column])).count();
    if fractions > 0 && 2 * fractions >= numeric.len().min(4) {
        return true;
    }
    if let [ids] = numeric[..]
        && is_one_of_the_ids(&row[ids], below.iter().filter_map(|other| other.get(ids)))
    {
        return true;
    }
    let texts: Vec<usize> = (0..row.len()).filter(|column| !numeric.contains(column)).collect();
    let again = |column: &usize| {
        !is_missing(&row[*column]) && below.iter().any(|other| other.get(*column) == Some(&row[*column]))
    };
    let all_filled = row.iter().all(|field| !field.trim().is_empty());
    let numbers = !numeric.is_empty() && numeric.iter().all(|column| is_number(&row[*column]));
    // Without a column of numbers, a recurring name is enough only if every field could be a value.
    row.len() <= 30 && all_filled && texts.iter().any(again) && (numbers || numeric.is_empty())
}

/// Whether a number above the only numeric column is one of its values: integers of three or more digits and similar
/// size, such as compound numbers. A gene id above zeros and ones is a name.
fn is_one_of_the_ids<'a>(first: &str, below: impl Iterator<Item = &'a String>) -> bool {
    let whole = |field: &str| {
        field.trim().parse::<f64>().ok().filter(|number| number.fract() == 0.0 && *number >= 100.0)
    };
    let below: Option<Vec<f64>> =
        below.filter(|field| !is_missing(field)).map(|field| whole(field)).collect();
    let (Some(first), Some(below)) = (whole(first), below) else { return false };
    let (low, high) =
        below.iter().fold((f64::MAX, 0.0_f64), |(low, high), number| (low.min(*number), high.max(*number)));
    (low / 10.0..=10.0 * high).contains(&first)
}

/// The number of further name rows below the header: text in every column that has numbers further below.
fn further_names(below: &[Vec<String>], width: usize) -> usize {
    const MOST: usize = 4;
    let start = below.len().min(MOST).min(below.len().saturating_sub(2));
    let numeric = numeric_columns(&below[start..], width);
    if numeric.is_empty() {
        return 0;
    }
    let names = |row: &Vec<String>| {
        numeric.iter().all(|column| {
            row.get(*column).is_some_and(|field| {
                !is_missing(field) && !is_number(field) && !field.starts_with(['<', '>'])
            })
        })
    };
    // Gene ids may be numbers: a row of integers with an empty first field, above a row of names, also holds names.
    let ids = |row: &Vec<String>| {
        let whole = |field: &String| plain_number(field.trim()).is_some_and(|number| number.fract() == 0.0);
        row.first().is_some_and(|first| is_missing(first))
            && numeric.iter().all(|column| row.get(*column).is_some_and(whole))
    };
    // In a single column, the text may be a damaged value.
    if numeric.len() < 2 {
        return 0;
    }
    let last = below[..start].iter().rposition(names);
    let more = match last {
        Some(last) if below[..last].iter().all(|row| names(row) || ids(row)) => last + 1,
        _ => below[..start].iter().take_while(|row| names(row)).count(),
    };
    // The names of the key columns may stand in a separate row below the other names.
    let of_keys = below.get(more).is_some_and(|row| {
        numeric.iter().all(|column| row.get(*column).is_none_or(|field| field.trim().is_empty()))
            && row.first().is_some_and(|first| crate::columns::is_known_name(first))
    });
    more + usize::from(more > 0 && of_keys)
}

/// Adjusts the number of names in the header to the number of fields.
fn fit(names: &mut Vec<String>, below: &[Vec<String>], width: usize, notes: &mut Vec<String>) {
    while names.len() > width && names.last().is_some_and(String::is_empty) {
        names.pop();
    }
    if names.len() + 1 != width {
        return;
    }
    let last_is_empty =
        below.iter().filter(|row| row.len() == width).all(|row| row[width - 1].trim().is_empty());
    if last_is_empty && !below.is_empty() {
        names.push(String::new());
    } else {
        names.insert(0, String::new());
        notes.push(
            "the header has one name fewer than the rows have fields: the first column holds the row names"
                .into(),
        );
    }
}

/// The table of rows that are given as text, as in a workbook. `first_row` is the number of the first row in the file.
///
/// # Errors
/// If there is no row of values, or two columns share a name.
pub(super) fn table_of_rows(label: &str, rows: Vec<Vec<String>>, first_row: usize) -> Result<RawTable> {
    let is_empty = |row: &Vec<String>| row.iter().all(|field| field.trim().is_empty());
    let kept: Vec<usize> = (0..rows.len()).filter(|at| !is_empty(&rows[*at])).collect();
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let filled: Vec<Vec<String>> = kept.iter().map(|at| rows[*at].clone()).collect();
    let Heading { names, body, header, notes } = heading(&filled[..filled.len().min(60)], width);
    if filled.is_empty() {
        return Err(super::empty(label));
    }
    if body >= filled.len() {
        return Err(super::no_rows(label));
    }
    let columns = names
        .into_iter()
        .enumerate()
        .map(|(column, name)| RawColumn {
            name,
            values: values_of(filled[body..].iter().map(|row| row.get(column).map_or("", String::as_str))),
        })
        .collect();
    let places = kept[body..].iter().map(|at| (first_row + at) as u32).collect();
    let mut table = RawTable::new(label, columns, filled.len() - body, RowPlaces::Listed(places), notes)?;
    table.header = header;
    Ok(table)
}

/// The values of a column: numbers if every entry is one.
pub(crate) fn values_of<'a>(fields: impl Iterator<Item = &'a str> + Clone) -> Values {
    let numbers: Option<Vec<f64>> = fields
        .clone()
        .map(|field| if is_missing(field) { Some(f64::NAN) } else { plain_number(field.trim()) })
        .collect();
    numbers.map_or_else(
        || {
            let mut builder = LabelsBuilder::default();
            fields.for_each(|field| builder.push(Some(field)));
            Values::texts(builder.finish())
        },
        Values::numbers,
    )
}

/// The error for a row with a different number of fields.
pub(super) fn ragged(label: &str, row: usize, fields: usize, width: usize) -> Error {
    Error::data(format!("{label}: row {row} has {fields} fields where the header has {width}")).with_help(
        "check the separator and the quotation marks of this row: a text that contains the separator needs \"…\"",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Vec<String>> {
        text.lines().map(|row| row.split(',').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn a_number_among_ids_is_no_name() {
        for (text, header) in [
            ("740,Methotrexate\n750,Busulfan\n3088,Chlorambucil", Header::Missing),
            // A gene id above mutations or expression.
            ("line,1956\nA549,0\nMCF7,1", Header::Found),
            ("line,1956\nA549,5.25\nMCF7,6.5", Header::Found),
            ("drug,740\nx,123456\ny,234567", Header::Found),
            ("compound,number\nMethotrexate,740\nBusulfan,750", Header::Found),
        ] {
            assert_eq!(heading(&rows(text), 2).header, header, "{text}");
        }
    }
}
