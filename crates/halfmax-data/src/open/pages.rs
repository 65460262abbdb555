//! Checks of the pages of a Parquet file before reading: the declared number of values and the declared unpacked size.
//! The reader allocates memory for both first.

use std::borrow::Cow;
use std::ops::Range;

use halfmax_core::{Error, Result};
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet_format::PageHeader;
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;

use super::limit::refuse_beyond_limit;
use super::prefixes;

/// The unpacked size of the pages of some columns, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unpacked {
    /// All pages together.
    pub all: u128,
    /// The largest page of each column.
    pub at_once: u128,
}

/// Adds up the unpacked sizes of the columns of a row group. Refuses a page with a negative number of values, with more
/// values than its column has left, or with a negative unpacked size. The reader refuses structures that this check
/// cannot follow. `read` returns bytes of the file.
///
/// # Errors
/// If there is such a page, or a page larger than the limit.
pub(super) fn check<'a, 'c>(
    label: &str,
    size: usize,
    columns: impl Iterator<Item = &'c ColumnChunkMetadata>,
    mut read: impl FnMut(Range<usize>) -> Option<Cow<'a, [u8]>>,
) -> Result<Unpacked> {
    let damaged = |what: String| {
        Err(Error::data(format!("{label}: the Parquet file is damaged: {what}"))
            .with_help("copy or download the file again"))
    };
    let mut unpacked = Unpacked::default();
    for column in columns {
        let place = column.byte_range();
        let place = place.start as usize..place.end as usize;
        let bytes = if place.end <= size { read(place).unwrap_or_default() } else { Cow::default() };
        let mut rest = bytes.as_ref();
        let mut left = column.num_values();
        let mut largest = 0;
        while left > 0 && !rest.is_empty() {
            let mut protocol = TCompactInputProtocol::new(&mut rest, size);
            let Ok(header) = PageHeader::read_from_in_protocol(&mut protocol) else { break };
            let held = header.data_page_header.as_ref().map(|page| page.num_values);
            let held = held.or(header.data_page_header_v2.as_ref().map(|page| page.num_values));
            let held = i64::from(held.unwrap_or(0));
            if held < 0 || held > left {
                return damaged(format!("a page declares {held} values, but its column has {left} left"));
            }
            let Ok(own) = u64::try_from(header.uncompressed_page_size) else {
                return damaged(format!(
                    "a page declares an unpacked size of {} bytes",
                    header.uncompressed_page_size
                ));
            };
            let size = usize::try_from(header.compressed_page_size).unwrap_or(usize::MAX);
            let Some((body, next)) = rest.split_at_checked(size) else { break };
            // Stop as soon as the limit is exceeded, without unpacking the rest.
            refuse_beyond_limit(label, own.into())?;
            let own = u128::from(own) + prefixes::bytes_of(&header, body, column.compression());
            unpacked.all += own;
            largest = own.max(largest);
            left -= held;
            rest = next;
        }
        unpacked.at_once += largest;
    }
    Ok(unpacked)
}
