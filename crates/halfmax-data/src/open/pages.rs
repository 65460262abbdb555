//! The pages of a Parquet file, looked at before they are read: how many values each says it holds. The reader makes room for them first.

use std::borrow::Cow;
use std::ops::Range;

use halfmax_core::{Error, Result};
use polars_parquet_format::PageHeader;
use polars_parquet_format::thrift::protocol::TCompactInputProtocol;

/// Refuses a file one of whose pages says that it holds fewer values than none, or more than are left of its column. What cannot be followed
/// is left for the reader to refuse. `columns` are the bytes of each column of each group of rows, which `read` gives, and how many values it has.
///
/// # Errors
/// If there is such a page.
pub(super) fn check<'a>(
    label: &str,
    size: usize,
    columns: impl Iterator<Item = (Range<u64>, i64)>,
    mut read: impl FnMut(Range<usize>) -> Option<Cow<'a, [u8]>>,
) -> Result<()> {
    for (place, values) in columns {
        let place = place.start as usize..place.end as usize;
        let bytes = if place.end <= size { read(place).unwrap_or_default() } else { Cow::default() };
        let mut rest = bytes.as_ref();
        let mut left = values;
        while left > 0 && !rest.is_empty() {
            let mut protocol = TCompactInputProtocol::new(&mut rest, size);
            let Ok(header) = PageHeader::read_from_in_protocol(&mut protocol) else { break };
            let held = header.data_page_header.map(|page| page.num_values);
            let held =
                i64::from(held.or(header.data_page_header_v2.map(|page| page.num_values)).unwrap_or(0));
            if held < 0 || held > left {
                return Err(Error::data(format!(
                    "{label}: the Parquet file is damaged: a page says that it holds {held} values, its column has {left} left"
                ))
                .help("copy or download the file again"));
            }
            left -= held;
            let size = usize::try_from(header.compressed_page_size).unwrap_or(usize::MAX);
            rest = rest.get(size..).unwrap_or_default();
        }
    }
    Ok(())
}
