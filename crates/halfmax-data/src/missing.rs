//! The spellings of a missing value: one list for the whole program.

/// The texts that mean a missing value, in lower case. An empty entry is missing as well.
///
/// The list covers the spellings of R, pandas, polars, Excel, SQL dumps and hand-made tables.
pub const MISSING: [&str; 21] = [
    "na", "n/a", "n.a.", "nan", "none", "null", "\\n", "nd", "n.d.", "-", "--", ".", "#n/a", "#na",
    "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!", "<na>",
];

/// The longest of [`MISSING`], in bytes.
const LONGEST: usize = 7;

/// Whether a text means a missing value. Surrounding blanks and case do not matter.
///
/// ```
/// use halfmax_data::is_missing;
/// assert!(is_missing(" NA ") && is_missing("") && is_missing("#DIV/0!") && is_missing("\\N"));
/// assert!(!is_missing("NaCl") && !is_missing("0"));
/// ```
pub fn is_missing(text: &str) -> bool {
    let text = text.trim();
    text.is_empty()
        || (text.len() <= LONGEST && MISSING.iter().any(|missing| missing.eq_ignore_ascii_case(text)))
}
