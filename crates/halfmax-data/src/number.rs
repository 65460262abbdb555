//! Numbers as people write them in tables.

/// How the numbers of a table are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberStyle {
    /// `0,5` and `1.000,5`: a decimal comma.
    Comma,
    /// `1,000.5`: a comma between thousands.
    Thousands,
}

/// A number with a decimal point. Long strings of digits (fingerprints, ids) and digits behind leading zeros are not
/// numbers, because a number would lose digits.
pub(crate) fn plain_number(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let first = *bytes.first()?;
    if !(first.is_ascii_digit() || matches!(first, b'-' | b'+' | b'.' | b'i' | b'I')) {
        return None;
    }
    if bytes.len() > 2 && first == b'0' && bytes[1].is_ascii_digit() {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // 2^53: larger whole numbers lose digits.
    if value.abs() > 9_007_199_254_740_992.0 && bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value)
}

/// A number in a given style.
pub(crate) fn styled_number(text: &str, style: NumberStyle) -> Option<f64> {
    match style {
        NumberStyle::Comma => {
            let (whole, _) = text.split_once(',').unwrap_or((text, ""));
            let points = text.matches('.').count();
            if points > 0 && (whole.matches('.').count() < points || !grouped_by(whole, '.')) {
                return None;
            }
            let text: String = text
                .chars()
                .filter(|letter| *letter != '.')
                .map(|letter| if letter == ',' { '.' } else { letter })
                .collect();
            plain_number(&text)
        }
        NumberStyle::Thousands => {
            let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
            if whole.contains(',') && !grouped_by(whole, ',') {
                return None;
            }
            plain_number(&format!("{}{rest}", whole.replace(',', "")))
        }
    }
}

/// Whether digits are grouped in threes: `1,000`, `-12,345,678`.
fn grouped_by(whole: &str, separator: char) -> bool {
    let mut parts = whole.trim_start_matches(['-', '+']).split(separator);
    let first = parts.next().unwrap_or_default();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (1..=3).contains(&first.len()) && digits(first) && parts.all(|part| part.len() == 3 && digits(part))
}

/// The evidence that a text with a comma gives about the number style of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommaEvidence {
    /// A number only with a decimal comma: `0,5`, `99,23`.
    Decimal,
    /// A number only with a thousands separator: `1,000.5`, `1,000,000`.
    Thousands,
    /// A number with either: `1,000`.
    Either,
    /// Not a number.
    Neither,
}

/// Classifies a text with a comma.
pub(crate) fn comma_evidence(text: &str) -> CommaEvidence {
    let decimal = styled_number(text, NumberStyle::Comma).is_some() && text.matches(',').count() == 1;
    // Nobody writes 0,500 for five hundred.
    let whole = text.trim_start_matches(['-', '+']);
    let thousands = styled_number(text, NumberStyle::Thousands).is_some() && !whole.starts_with("0,");
    match (decimal, thousands) {
        (true, true) => CommaEvidence::Either,
        (true, false) => CommaEvidence::Decimal,
        (false, true) => CommaEvidence::Thousands,
        (false, false) => CommaEvidence::Neither,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_what_only_looks_like_one() {
        assert_eq!(plain_number("1.5e-3"), Some(0.0015));
        assert_eq!(plain_number("905949.0"), Some(905_949.0));
        assert_eq!(plain_number("0.5"), Some(0.5));
        assert_eq!(plain_number("00"), Some(0.0));
        assert!(plain_number("007").is_none() && plain_number("01101001011101010").is_none());
        assert!(plain_number("12345678901234567890").is_none() && plain_number("A1").is_none());
        assert_eq!(plain_number("inf"), Some(f64::INFINITY));
    }

    #[test]
    fn commas_say_what_they_are() {
        for (text, evidence) in [
            ("0,5", CommaEvidence::Decimal),
            ("0,500", CommaEvidence::Decimal),
            ("99,23", CommaEvidence::Decimal),
            ("1.000,5", CommaEvidence::Decimal),
            ("1,000", CommaEvidence::Either),
            ("1,000.5", CommaEvidence::Thousands),
            ("1,000,000", CommaEvidence::Thousands),
            ("A,B", CommaEvidence::Neither),
            ("1,2,3", CommaEvidence::Neither),
        ] {
            assert_eq!(comma_evidence(text), evidence, "{text}");
        }
        assert_eq!(styled_number("-1.234,5", NumberStyle::Comma), Some(-1234.5));
        assert_eq!(styled_number("12,345", NumberStyle::Thousands), Some(12_345.0));
        assert_eq!(styled_number("12,34", NumberStyle::Thousands), None);
    }
}
