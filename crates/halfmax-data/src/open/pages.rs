//! The pages of a Parquet file, looked at before they are read: how many values each says it holds, and how many bytes it says it unpacks to. The reader
//! makes room for both first.

use std::borrow::Cow;
use std::ops::Range;

use halfmax_core::{Error, Result};
use polars_parquet::parquet::metadata::ColumnChunkMetadata;
use polars_parquet_format::PageHeader;
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;

use super::limit::refuse_beyond_limit;
use super::prefixes;

/// What the pages of some columns unpack to, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unpacked {
    /// All pages together.
    pub all: u128,
    /// The largest page of each column.
    pub at_once: u128,
}

/// Adds up what the columns of a group of rows unpack to. Refuses a page that says that it holds fewer values than none, or more than are left of its
/// column, or that it unpacks to fewer bytes than none. What cannot be followed is left for the reader to refuse. `read` gives bytes of the file.
///
/// # Errors
/// If there is such a page, or one that is larger than the limit.
pub(super) fn check<'a, 'c>(
    label: &str,
    size: usize,
    columns: impl Iterator<Item = &'c ColumnChunkMetadata>,
    mut read: impl FnMut(Range<usize>) -> Option<Cow<'a, [u8]>>,
) -> Result<Unpacked> {
    let damaged = |what: String| {
        Err(Error::data(format!("{label}: the Parquet file is damaged: {what}"))
            .help("copy or download the file again"))
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
                return damaged(format!(
                    "a page says that it holds {held} values, its column has {left} left"
                ));
            }
            let Ok(own) = u64::try_from(header.uncompressed_page_size) else {
                return damaged(format!(
                    "a page says that it unpacks to {} bytes",
                    header.uncompressed_page_size
                ));
            };
            let size = usize::try_from(header.compressed_page_size).unwrap_or(usize::MAX);
            let Some((body, next)) = rest.split_at_checked(size) else { break };
            // What is too much already is not unpacked to see how much more it is.
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
