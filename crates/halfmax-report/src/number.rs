//! The format of numbers: a true minus sign, thin non-breaking spaces, the same digits for the same kind of number.

const THIN: char = '\u{202f}';

/// A number with this many decimals; `None` without a number.
pub(crate) fn fixed(value: Option<f64>, decimals: usize) -> Option<String> {
    let value = value.filter(|value| value.is_finite())?;
    Some(group(&format!("{value:.decimals$}")))
}

/// As [`fixed`], with a plus sign before positive numbers.
pub(crate) fn signed(value: Option<f64>, decimals: usize) -> Option<String> {
    let text = fixed(value, decimals)?;
    let is_zero = !text.contains(|character: char| character.is_ascii_digit() && character != '0');
    Some(if is_zero || text.starts_with('−') { text } else { format!("+{text}") })
}

/// Three significant digits, with powers of ten below 0.001 and from 1,000,000.
pub(crate) fn significant(value: Option<f64>) -> Option<String> {
    let value = value.filter(|value| value.is_finite())?;
    if value == 0.0 {
        return Some("0".into());
    }
    let scientific = format!("{value:.2e}");
    let (mantissa, exponent) = scientific.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    if (-3..6).contains(&exponent) {
        return fixed(Some(value), usize::try_from(2 - exponent).unwrap_or(0));
    }
    Some(format!("{}{THIN}×{THIN}10{}", group(mantissa), superscript(exponent)))
}

/// A p or q value: two significant digits, `< 0.0001` below that.
pub(crate) fn probability(value: Option<f64>) -> Option<String> {
    let value = value.filter(|value| value.is_finite())?;
    if value < 0.0001 {
        return Some(format!("<{THIN}0.0001"));
    }
    let decimals = if value < 0.001 {
        5
    } else if value < 0.01 {
        4
    } else if value < 0.1 {
        3
    } else {
        2
    };
    fixed(Some(value), decimals)
}

/// A fraction as a percentage without decimals.
pub(crate) fn percent(share: Option<f64>) -> Option<String> {
    fixed(share.map(|share| share * 100.0), 0).map(|text| format!("{text}{THIN}%"))
}

/// A count with thousands separators.
pub(crate) fn count(value: usize) -> String {
    group(&value.to_string())
}

/// A minus sign for the hyphen, thin spaces between thousands from five digits upwards, no sign before zero.
fn group(plain: &str) -> String {
    let is_zero = !plain.contains(|character: char| character.is_ascii_digit() && character != '0');
    let unsigned = plain.trim_start_matches('-');
    let (whole, decimals) = unsigned.split_at(unsigned.find('.').unwrap_or(unsigned.len()));
    let mut text = String::new();
    if plain.starts_with('-') && !is_zero {
        text.push('−');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && whole.len() > 4 {
            text.push(THIN);
        }
        text.push(digit);
    }
    text + decimals
}

fn superscript(exponent: i32) -> String {
    let digit = |character| match character {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    };
    exponent.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_thousands() {
        assert_eq!(fixed(Some(-1.256), 2).as_deref(), Some("−1.26"));
        assert_eq!(fixed(Some(-0.001), 2).as_deref(), Some("0.00"));
        assert_eq!(signed(Some(0.12), 2).as_deref(), Some("+0.12"));
        assert_eq!(signed(Some(0.001), 2).as_deref(), Some("0.00"));
        assert_eq!(signed(Some(-0.12), 2).as_deref(), Some("−0.12"));
        assert_eq!(count(225384), "225\u{202f}384");
        assert_eq!(count(1234), "1234");
    }

    #[test]
    fn what_is_no_number_is_missing() {
        for value in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(fixed(value, 2), None);
            assert_eq!(significant(value), None);
            assert_eq!(probability(value), None);
            assert_eq!(percent(value), None);
        }
    }

    #[test]
    fn three_significant_digits() {
        let text = |value| significant(Some(value)).unwrap();
        assert_eq!(text(0.012345), "0.0123");
        assert_eq!(text(12.345), "12.3");
        assert_eq!(text(1234.5), "1234");
        assert_eq!(text(0.0), "0");
        assert_eq!(text(0.99999), "1.00");
        assert_eq!(text(1.2345e-5), "1.23\u{202f}×\u{202f}10⁻⁵");
        assert_eq!(text(-3e7), "−3.00\u{202f}×\u{202f}10⁷");
    }

    #[test]
    fn probabilities_end_at_one_in_ten_thousand() {
        assert_eq!(probability(Some(0.034)).as_deref(), Some("0.034"));
        assert_eq!(probability(Some(0.5)).as_deref(), Some("0.50"));
        assert_eq!(probability(Some(1e-9)).as_deref(), Some("<\u{202f}0.0001"));
    }

    #[test]
    fn shares() {
        assert_eq!(percent(Some(0.906)).as_deref(), Some("91\u{202f}%"));
    }
}
