//! Checks of Arrow (Feather) files before reading: how much memory they request.
//!
//! The reader allocates the declared unpacked size of a compressed buffer and the declared size of a batch before it
//! notices that the bytes are missing. Format: the Arrow columnar format, "IPC File Format".

use halfmax_core::{Error, Result};
use polars_arrow_format::ipc::planus::{self, ReadAsRoot};
use polars_arrow_format::ipc::{BlockRef, FooterRef, MessageHeaderRef, MessageRef, RecordBatchRef, TypeRef};

use super::limit::refuse_beyond_limit;

/// The file ends with the length of the footer (four bytes) and these bytes.
const MAGIC: &[u8] = b"ARROW1";

/// More bytes than any file requests: the size of a buffer with a negative offset or length.
const NOWHERE: u128 = 1 << 100;

/// The bytes per value in a table. In the file, a value may take less: a column of missing values takes no bytes,
/// booleans take a bit each.
const BYTES_PER_VALUE: u128 = 8;

/// Refuses a file whose buffers or values would take more bytes than the limit. The reader refuses structures that this
/// check cannot follow.
///
/// # Errors
/// If the size exceeds the limit, or a column has a type that prevents the reader from reading any column.
pub(super) fn check(label: &str, bytes: &[u8]) -> Result<()> {
    if let Ok(Some((column, kind))) = unread(bytes) {
        return Err(Error::data(format!(
            "{label}: column {column:?} holds {kind}; a file with such a column cannot be read"
        ))
        .with_help("write the file again without the column, or as Parquet"));
    }
    let Ok(Some(asked)) = asked(bytes) else { return Ok(()) };
    if asked >= NOWHERE {
        return Err(Error::data(format!(
            "{label}: the file is damaged: a buffer has an impossible position, or a column has a negative number of values"
        ))
        .with_help("copy or download the file again"));
    }
    refuse_beyond_limit(label, asked)
}

/// The first column of a type that the reader does not know, with a description of the type.
fn unread(bytes: &[u8]) -> planus::Result<Option<(String, &'static str)>> {
    let Some(schema) = footer(bytes)?.map(|footer| footer.schema()).transpose()?.flatten() else {
        return Ok(None);
    };
    for field in schema.fields()?.into_iter().flatten() {
        let field = field?;
        let kind = match field.type_()? {
            Some(TypeRef::RunEndEncoded(_)) => "runs of equal values",
            Some(TypeRef::ListView(_) | TypeRef::LargeListView(_)) => "views of lists",
            _ => continue,
        };
        return Ok(Some((field.name()?.unwrap_or_default().to_owned(), kind)));
    }
    Ok(None)
}

fn footer(bytes: &[u8]) -> planus::Result<Option<FooterRef<'_>>> {
    let Some(rest) = bytes.strip_suffix(MAGIC) else { return Ok(None) };
    let Some((rest, length)) = rest.split_last_chunk::<4>() else { return Ok(None) };
    let start =
        usize::try_from(i32::from_le_bytes(*length)).ok().and_then(|length| rest.len().checked_sub(length));
    start.and_then(|start| rest.get(start..)).map(FooterRef::read_as_root).transpose()
}

/// The total size in bytes of all buffers listed in the footer; `None` if the footer points outside the file.
fn asked(bytes: &[u8]) -> planus::Result<Option<u128>> {
    let Some(footer) = footer(bytes)? else { return Ok(None) };
    let mut sum = 0;
    for block in footer.dictionaries()?.into_iter().chain(footer.record_batches()?).flatten() {
        match asked_by_block(bytes, &block)? {
            Some(asked) => sum += asked,
            None => return Ok(None),
        }
    }
    Ok(Some(sum))
}

fn asked_by_block(bytes: &[u8], block: &BlockRef<'_>) -> planus::Result<Option<u128>> {
    let place = |at: i64| usize::try_from(at).ok();
    let (Some(offset), Some(length)) = (place(block.offset()), place(block.meta_data_length().into())) else {
        return Ok(None);
    };
    let Some(message) = bytes.get(offset..).and_then(|rest| rest.get(..length)) else { return Ok(None) };
    let body = bytes.get(offset + length..).unwrap_or_default();
    // A marker of four bytes, which old files lack, and the length of the message.
    let skipped = if message.starts_with(&[0xff; 4]) { 8 } else { 4 };
    let Some(message) = message.get(skipped..) else { return Ok(None) };
    Ok(match MessageRef::read_as_root(message)?.header()? {
        Some(MessageHeaderRef::RecordBatch(batch)) => asked_by_batch(&batch, body)?,
        Some(MessageHeaderRef::DictionaryBatch(dictionary)) => match dictionary.data()? {
            Some(batch) => asked_by_batch(&batch, body)?,
            None => Some(0),
        },
        _ => Some(0),
    })
}

fn asked_by_batch(batch: &RecordBatchRef<'_>, body: &[u8]) -> planus::Result<Option<u128>> {
    let packed = batch.compression()?.is_some();
    let mut sum = 0;
    for buffer in batch.buffers()?.into_iter().flatten() {
        let (Ok(offset), Ok(length)) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()))
        else {
            return Ok(Some(NOWHERE));
        };
        // A compressed buffer begins with its unpacked length, or −1 if it is not compressed.
        let unpacked = body
            .get(offset..)
            .and_then(|rest| rest.first_chunk::<8>())
            .map(|first| i64::from_le_bytes(*first));
        let unpacked =
            unpacked.filter(|_| packed && length >= 8).and_then(|unpacked| u64::try_from(unpacked).ok());
        sum += u128::from(unpacked.unwrap_or(0)).max(length as u128);
    }
    let mut values = 0;
    for node in batch.nodes()?.into_iter().flatten() {
        let Ok(length) = u64::try_from(node.length()) else { return Ok(Some(NOWHERE)) };
        values += u128::from(length);
    }
    Ok(Some(sum.max(values * BYTES_PER_VALUE)))
}
