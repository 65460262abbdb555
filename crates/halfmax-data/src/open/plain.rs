//! The unchanged columns of a Parquet file, for checksums of its content.

use halfmax_core::Result;
use polars_arrow::array::{ArrayRef, BooleanArray, PrimitiveArray, Utf8ViewArray};
use polars_arrow::datatypes::ArrowDataType as Kind;
use polars_arrow::types::NativeType;
use polars_buffer::Buffer;

use super::arrays::ParquetBytes;
use super::columnar::unreadable;
use super::guard::guarded;

/// A value of a [`PlainColumn`].
#[derive(Clone, Debug, PartialEq)]
pub enum PlainValue<'a> {
    /// A missing value.
    Missing,
    /// A text.
    Text(&'a str),
    /// A truth value, `true` or `false`, or a number in its shortest decimal form; 0 without a sign.
    Number(String),
}

/// A column of texts, numbers or truth values.
pub struct PlainColumn {
    /// The name of the column in the file.
    pub name: String,
    chunks: Vec<ArrayRef>,
}

impl PlainColumn {
    /// Passes each value to a function, row by row.
    pub fn each(&self, mut take: impl FnMut(PlainValue<'_>)) {
        for chunk in &self.chunks {
            match chunk.dtype() {
                Kind::Utf8View => {
                    let texts = chunk.as_any().downcast_ref::<Utf8ViewArray>().into_iter().flatten();
                    texts.for_each(|text| take(text.map_or(PlainValue::Missing, PlainValue::Text)));
                }
                Kind::Boolean => {
                    let truths = chunk.as_any().downcast_ref::<BooleanArray>().into_iter().flatten();
                    truths.for_each(|truth| take(number(truth)));
                }
                Kind::Int8 => each_of::<i8, _>(chunk, |value| value, &mut take),
                Kind::Int16 => each_of::<i16, _>(chunk, |value| value, &mut take),
                Kind::Int32 => each_of::<i32, _>(chunk, |value| value, &mut take),
                Kind::Int64 => each_of::<i64, _>(chunk, |value| value, &mut take),
                Kind::UInt8 => each_of::<u8, _>(chunk, |value| value, &mut take),
                Kind::UInt16 => each_of::<u16, _>(chunk, |value| value, &mut take),
                Kind::UInt32 => each_of::<u32, _>(chunk, |value| value, &mut take),
                Kind::UInt64 => each_of::<u64, _>(chunk, |value| value, &mut take),
                Kind::Float32 => each_of::<f32, _>(chunk, |value| value + 0.0, &mut take),
                Kind::Float64 => each_of::<f64, _>(chunk, |value| value + 0.0, &mut take),
                _ => {}
            }
        }
    }
}

fn each_of<T: NativeType, S: ToString>(
    chunk: &ArrayRef,
    shown: impl Fn(T) -> S,
    take: &mut impl FnMut(PlainValue<'_>),
) {
    let values = chunk.as_any().downcast_ref::<PrimitiveArray<T>>().into_iter().flatten();
    values.for_each(|value| take(number(value.map(|value| shown(*value)))));
}

fn number(value: Option<impl ToString>) -> PlainValue<'static> {
    value.map_or(PlainValue::Missing, |value| PlainValue::Number(value.to_string()))
}

/// The columns of a Parquet file; `None` if a column holds neither texts, numbers nor truth values.
///
/// # Errors
/// If the file cannot be read.
pub fn plain_columns(label: &str, bytes: Vec<u8>) -> Result<Option<Vec<PlainColumn>>> {
    guarded(label, "Parquet", || {
        let file = ParquetBytes::of(Buffer::from_vec(bytes));
        let file = file.map_err(|error| unreadable(label, "Parquet", error))?;
        if !file.schema.iter_values().all(|field| is_plain(&field.dtype)) {
            return Ok(None);
        }
        let all: Vec<usize> = (0..file.schema.len()).collect();
        let read = file.read(label, &all, 0..usize::MAX)?;
        if !read.columns.iter().flatten().all(|array| is_plain(array.dtype())) {
            return Ok(None);
        }
        let names = file.schema.iter_names().map(ToString::to_string);
        let columns = names.zip(read.columns).map(|(name, chunks)| PlainColumn { name, chunks });
        Ok(Some(columns.collect()))
    })
}

fn is_plain(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Utf8View
            | Kind::Boolean
            | Kind::Int8
            | Kind::Int16
            | Kind::Int32
            | Kind::Int64
            | Kind::UInt8
            | Kind::UInt16
            | Kind::UInt32
            | Kind::UInt64
            | Kind::Float32
            | Kind::Float64
    )
}
