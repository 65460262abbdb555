//! Parquet pages whose texts share prefixes (encoding `DELTA_BYTE_ARRAY`). With a few bytes per text, such a page can
//! repeat a long text many times. Their total length is computed before the reader expands them.

use polars_parquet::parquet::compression::{Compression, DecompressionContext, decompress};
use polars_parquet::parquet::page::{split_buffer_v1, split_buffer_v2};
use polars_parquet_format::{Encoding, PageHeader};

use crate::bytes::Bytes;

/// The total length in bytes of the prefixes that texts of a page share with their predecessors. 0 for pages in other
/// encodings, and for malformed pages, which the reader refuses. `body` is the page as stored in the file.
pub(super) fn bytes_of(header: &PageHeader, body: &[u8], compression: Compression) -> u128 {
    let encoding = header.data_page_header.as_ref().map(|page| page.encoding);
    let encoding = encoding.or(header.data_page_header_v2.as_ref().map(|page| page.encoding));
    match encoding == Some(Encoding::DELTA_BYTE_ARRAY) {
        true => added_up(header, body, compression).unwrap_or(0),
        false => 0,
    }
}

fn added_up(header: &PageHeader, body: &[u8], compression: Compression) -> Option<u128> {
    let size = usize::try_from(header.uncompressed_page_size).ok()?;
    let levels = match &header.data_page_header_v2 {
        Some(page) => Some([
            usize::try_from(page.repetition_levels_byte_length).ok()?,
            usize::try_from(page.definition_levels_byte_length).ok()?,
        ]),
        None => None,
    };
    let packed = compression != Compression::Uncompressed
        && header.data_page_header_v2.as_ref().is_none_or(|page| page.is_compressed.unwrap_or(true));
    let mut page = body.to_vec();
    if packed {
        // The levels of version-2 pages are never compressed.
        let plain = levels.map_or(0, |levels| levels[0].saturating_add(levels[1]));
        page = vec![0; size];
        page.get_mut(..plain)?.copy_from_slice(body.get(..plain)?);
        let mut context = DecompressionContext::Unset;
        decompress(compression, body.get(plain..)?, page.get_mut(plain..)?, &mut context).ok()?;
    }
    // The columns read here are flat. Only the column knows whether a version-1 page has levels, so both possibilities
    // are tried.
    let found = match levels {
        Some([repetition, definition]) => {
            let fits = repetition.checked_add(definition).is_some_and(|levels| levels <= page.len());
            vec![fits.then(|| split_buffer_v2(&page, repetition, definition)).and_then(Result::ok)]
        }
        None => [true, false].map(|levels| split_buffer_v1(&page, false, levels).ok()).into(),
    };
    found.into_iter().flatten().filter_map(|parts| sum_of_lengths(parts.values)).max()
}

/// The sum of the lengths at the beginning of some values (encoding `DELTA_BINARY_PACKED`); `None` if they are not
/// lengths.
fn sum_of_lengths(values: &[u8]) -> Option<u128> {
    let mut rest = Bytes(values);
    let (block, parts) = (rest.varint()?, rest.varint()?);
    let mut left = rest.varint()?;
    let mut last = i128::from(rest.zigzag()?);
    let mut sum = last.max(0);
    let part = block.checked_div(parts).filter(|part| *part > 0 && part % 8 == 0)?;
    left = left.saturating_sub(1);
    while left > 0 {
        let least = i128::from(rest.zigzag()?);
        let widths = rest.take(usize::try_from(parts).ok()?)?;
        for width in widths {
            if left == 0 {
                break;
            }
            let count = part.min(left);
            if *width == 0 {
                // All differences are equal.
                let steps = i128::from(count.min(1 << 31));
                sum += (last * steps + least * steps * (steps + 1) / 2).max(0);
                last += least * steps;
            } else {
                let packed = rest.take(usize::try_from(part / 8).ok()?.checked_mul(usize::from(*width))?)?;
                for at in 0..usize::try_from(count).ok()? {
                    last += least + i128::from(bits(packed, at * usize::from(*width), *width)?);
                    sum += last.max(0);
                }
            }
            // Lengths are of 64 bits.
            last = last.clamp(i64::MIN.into(), i64::MAX.into());
            sum = sum.min(i128::from(u64::MAX));
            left -= count;
        }
    }
    u128::try_from(sum).ok()
}

/// A number of `width` bits, lowest bit first.
fn bits(packed: &[u8], from: usize, width: u8) -> Option<u64> {
    let bit = |at: usize| Some(u64::from(packed.get(at / 8)? >> (at % 8) & 1));
    (0..usize::from(width.min(64))).try_fold(0, |number, at| Some(number | bit(from + at)? << at))
}

/// Numbers of variable length.
impl Bytes<'_> {
    /// A number of seven bits a byte (ULEB128).
    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in 0..10 {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A number whose lowest bit is its sign (zigzag).
    fn zigzag(&mut self) -> Option<i64> {
        self.varint().map(|number| (number >> 1) as i64 ^ -((number & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_added_up() {
        // Blocks of 128 in 4 parts, one value: 7.
        assert_eq!(sum_of_lengths(&[128, 1, 4, 1, 14]), Some(7));
        // Three values, the first of them 0.
        let mut packed = vec![128, 1, 4, 3, 0];
        // The smallest difference is 0. In the first part, differences have 20 bits: 1,000,000 and 0.
        packed.extend([0, 20, 0, 0, 0]);
        let mut part = vec![0; 80];
        part[..3].copy_from_slice(&1_000_000_u32.to_le_bytes()[..3]);
        packed.extend(part);
        assert_eq!(sum_of_lengths(&packed), Some(2_000_000));
        // Differences that are all the same take no bits: 0, 1, … 128.
        assert_eq!(sum_of_lengths(&[128, 1, 4, 129, 1, 0, 2, 0, 0, 0, 0]), Some(128 * 129 / 2));
        for wrong in [[].as_slice(), &[128, 1, 0, 9, 0], &[128, 1, 4, 9, 0], &[255; 12]] {
            assert_eq!(sum_of_lengths(wrong), None, "{wrong:?}");
        }
    }
}
