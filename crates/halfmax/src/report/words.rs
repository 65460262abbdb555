//! Numbers and intervals in the words of pages with pictures.

/// Three significant digits, without zeros at the end.
pub fn digits(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    if value != 0.0 && !(1e-6..1e6).contains(&value.abs()) {
        return format!("{value:.2e}").replace('-', "−");
    }
    let decimals = (2 - value.abs().max(1e-9).log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.replace('-', "−") }
}

/// Two decimals.
pub fn decimals(value: f64) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let text = format!("{value:.2}").replace('-', "−");
    if text == "−0.00" { "0.00".into() } else { text }
}

/// An interval. A NaN end is open. Empty if both ends are open.
pub fn interval([low, high]: [f64; 2], word: fn(f64) -> String) -> String {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => format!("{} to {}", word(low), word(high)),
        (true, false) => format!("above {}, no upper end", word(low)),
        (false, true) => format!("below {}, no lower end", word(high)),
        (false, false) => String::new(),
    }
}

/// The text with a capital first letter.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The letter of a drug of a combination, numbered from 0: a, b, c, …
pub fn drug_letter(drug: usize) -> char {
    ('a'..='z').nth(drug).unwrap_or('z')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let found = [0.3124, 12.0, 1234.4, 0.0, -0.25, 9.77e-5, 2.5e-7, f64::NAN].map(digits);
        assert_eq!(found, ["0.312", "12", "1234", "0", "−0.25", "0.0000977", "2.50e−7", "–"]);
        assert_eq!([0.5, -0.001, f64::INFINITY].map(decimals), ["0.50", "0.00", "–"]);
    }

    #[test]
    fn open_ends_are_said() {
        assert_eq!(interval([0.1, 2.0], digits), "0.1 to 2");
        assert_eq!(interval([0.1, f64::NAN], digits), "above 0.1, no upper end");
        assert_eq!(interval([f64::NAN, 2.0], digits), "below 2, no lower end");
        assert_eq!(interval([f64::NAN; 2], digits), "");
    }
}
