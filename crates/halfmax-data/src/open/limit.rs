//! The limit on the unpacked size of a file. A few kilobytes can unpack to more than any machine's memory. Bytes are
//! counted while unpacking, or beforehand if the file declares the size.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use halfmax_core::Error;

/// The default limit on the unpacked size of one file: 2 GiB, twice the expression matrix of DepMap as text.
pub const DEFAULT_UNPACK_LIMIT: u64 = 2 << 30;

static LIMIT: AtomicU64 = AtomicU64::new(DEFAULT_UNPACK_LIMIT);

/// Sets the limit on the unpacked size of one file, in bytes: gzip, zip, workbooks, Parquet, Arrow and models. The
/// limit applies to the whole process. Memory use may be several times the limit, because texts become tables.
pub fn set_unpack_limit(bytes: u64) {
    LIMIT.store(bytes, Ordering::Relaxed);
}

/// The limit on the unpacked size of one file, in bytes.
pub(crate) fn unpack_limit() -> u64 {
    LIMIT.load(Ordering::Relaxed)
}

/// Refuses a size above the limit.
///
/// # Errors
/// If the size exceeds the limit.
pub(crate) fn refuse_beyond_limit(label: &str, bytes: u128) -> Result<(), Error> {
    let limit = unpack_limit();
    if bytes <= u128::from(limit) {
        return Ok(());
    }
    Err(beyond_limit(format!("{label}: unpacks to {}, the limit is {}", Size(bytes), Size(limit.into()))))
}

/// Refuses a running total above the limit.
///
/// # Errors
/// If the total exceeds the limit.
pub(crate) fn refuse_so_far(label: &str, bytes: usize) -> Result<(), Error> {
    if bytes as u64 > unpack_limit() { Err(unpacks_beyond_limit(label)) } else { Ok(()) }
}

/// The error for a file that unpacks to an unknown size above the limit.
pub(crate) fn unpacks_beyond_limit(label: &str) -> Error {
    unpacks_beyond(label, unpack_limit())
}

/// The same error for content that may use only a share of the limit.
pub(crate) fn unpacks_beyond(label: &str, share: u64) -> Error {
    beyond_limit(format!("{label}: unpacks to more than {}, the limit", Size(share.into())))
}

fn beyond_limit(message: String) -> Error {
    Error::data(message).with_help(
        "if you trust the file and have enough memory, raise the unpack limit (`--unpack-limit 8GiB`); otherwise copy or download the file again, because it may be damaged",
    )
}

/// A number of bytes in a readable form.
struct Size(u128);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 7] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let mut unit = 0;
        let mut value = self.0 as f64;
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let digits = usize::from(unit > 0 && value.fract() > 0.0);
        write!(f, "{value:.digits$} {}", UNITS[unit])
    }
}

/// Parses a number of bytes: `8GiB`, `8GB`, `1.5G`, `512 MiB`, `1000000`. `GB` is 1000³, `G` and `GiB` are 1024³.
///
/// # Errors
/// If the text is not a number of bytes, or 0.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let power =
        ["k", "m", "g", "t"].iter().position(|letter| unit.starts_with(letter)).map_or(0, |at| at + 1);
    let factor: Option<f64> = match unit.get(usize::from(power > 0)..) {
        Some("b") => Some(1000.0),
        Some("" | "ib") if power > 0 || unit.is_empty() => Some(1024.0),
        _ => None,
    };
    let bytes = factor.and_then(|factor| Some(number.parse::<f64>().ok()? * factor.powi(power as i32)));
    bytes
        .filter(|bytes| (1.0..1e18).contains(bytes))
        .map(|bytes| bytes as u64)
        .ok_or_else(|| "expected a number of bytes above 0: 8GiB, 500MB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes) in [
            ("8GiB", 8 << 30),
            ("512 MiB", 512 << 20),
            ("3g", 3 << 30),
            ("17", 17),
            ("8GB", 8_000_000_000),
            ("1.5k", 1536),
            ("9 b", 9),
        ] {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
        for wrong in ["", "0", "GiB", "-1", "1.5.G", "9999999999T", "8 pounds", "8 ib", "8gg", "inf"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        let text = |bytes| Size(bytes).to_string();
        assert_eq!([text(17), text(2 << 30), text(3 << 29)], ["17 bytes", "2 GiB", "1.5 GiB"]);
    }

    #[test]
    fn the_error_names_the_flag() {
        assert!(refuse_beyond_limit("t.parquet", 1 << 20).is_ok());
        let error = refuse_beyond_limit("t.parquet", 1 << 40).unwrap_err();
        assert_eq!(error.to_string(), "t.parquet: unpacks to 1 TiB, the limit is 2 GiB");
        assert!(error.help().is_some_and(|help| help.contains("--unpack-limit")), "{error:?}");
    }
}
