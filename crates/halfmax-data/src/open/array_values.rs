//! The values of Arrow arrays as values of a table: numbers, texts, and times as texts.

use halfmax_core::{Error, Result};
use polars_arrow::array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, DictionaryArray, PrimitiveArray, Utf8ViewArray,
    new_null_array,
};
use polars_arrow::datatypes::{ArrowDataType as Kind, PhysicalType, TimeUnit};
use polars_arrow::temporal_conversions::{
    date32_to_date, time64ns_to_time, timestamp_ms_to_datetime, timestamp_ns_to_datetime,
    timestamp_s_to_datetime, timestamp_us_to_datetime,
};
use polars_arrow::types::NativeType;
use polars_arrow::{match_integer_type, with_match_primitive_type};
use polars_compute::cast::{CastOptionsImpl, cast};
use polars_compute::decimal::dec128_verify_prec_scale;
use polars_error::{PolarsError, PolarsResult};

use super::limit::refuse_so_far;
use crate::table::{LabelsBuilder, Values};

const NANOSECONDS_OF_A_DAY: i64 = 86_400_000_000_000;

/// The values of a column. Its arrays share one type.
///
/// # Errors
/// If the values cannot be converted, or their texts exceed the limit.
pub(super) fn values_of(label: &str, name: &str, chunks: Vec<ArrayRef>) -> Result<Values> {
    let failed =
        |error: PolarsError| Error::data(format!("{label}: column {name:?}: {error}")).with_source(error);
    let Some(kind) = chunks.first().map(|chunk| chunk.dtype().clone()) else {
        return Ok(Values::numbers(Vec::new()));
    };
    match &kind {
        Kind::Dictionary(_, of, _) if is_text(of) => {
            let parts = chunks.iter().map(|chunk| texts_of_dictionary(chunk.as_ref()));
            let parts = parts.collect::<PolarsResult<Vec<_>>>().map_err(failed)?;
            let of_rows = parts
                .iter()
                .flat_map(|(names, of_row)| of_row.iter().map(|place| names.get((*place)?)?.as_deref()));
            texts(label, of_rows)
        }
        Kind::Dictionary(..) => {
            let plain = chunks.iter().map(|chunk| without_dictionary(chunk.as_ref()));
            values_of(label, name, plain.collect::<PolarsResult<_>>().map_err(failed)?)
        }
        Kind::Float16 | Kind::Float32 => {
            let chunks = cast_to(chunks, &Kind::Float32).map_err(failed)?;
            Ok(Values::singles(with_missing(chunks, f32::NAN)))
        }
        Kind::Int64 if !fit_numbers::<i64>(&chunks) => texts(label, each::<i64>(&chunks).map(shown)),
        Kind::UInt64 if !fit_numbers::<u64>(&chunks) => texts(label, each::<u64>(&chunks).map(shown)),
        Kind::Decimal32(..) | Kind::Decimal64(..) | Kind::Decimal(..) => {
            decimals(chunks, &kind).and_then(numbers).map_err(failed)
        }
        kind if is_text(kind) => {
            let chunks = cast_to(chunks, &Kind::Utf8View).map_err(failed)?;
            texts(label, each_text(&chunks))
        }
        Kind::Binary | Kind::LargeBinary | Kind::BinaryView | Kind::FixedSizeBinary(_) => {
            match cast_to(chunks, &Kind::BinaryView).and_then(|chunks| cast_to(chunks, &Kind::Utf8View)) {
                Ok(chunks) => texts(label, each_text(&chunks)),
                Err(_) => Ok(Values::Other("bytes that are not text".into())),
            }
        }
        Kind::Date32 | Kind::Date64 | Kind::Timestamp(..) | Kind::Time32(_) | Kind::Time64(_) => {
            times_of(label, &kind, &chunks)
        }
        _ => numbers(chunks).map_err(failed),
    }
}

fn numbers(chunks: Vec<ArrayRef>) -> PolarsResult<Values> {
    Ok(Values::numbers(with_missing(cast_to(chunks, &Kind::Float64)?, f64::NAN)))
}

/// Days and times as texts.
fn times_of(label: &str, kind: &Kind, chunks: &[ArrayRef]) -> Result<Values> {
    match kind {
        Kind::Date32 => texts(label, each::<i32>(chunks).map(|day| Some(day_text(*day?)))),
        Kind::Timestamp(unit, zone) => {
            let zone = zone.as_ref().map(|zone| zone.as_str());
            texts(label, each::<i64>(chunks).map(|time| Some(moment(*time?, *unit, zone))))
        }
        Kind::Time32(unit) => {
            texts(label, each::<i32>(chunks).map(|time| time_of_day(i64::from(*time?), *unit)))
        }
        Kind::Time64(unit) => texts(label, each::<i64>(chunks).map(|time| time_of_day(*time?, *unit))),
        _ => texts(label, each::<i64>(chunks).map(|time| Some(moment(*time?, TimeUnit::Millisecond, None)))),
    }
}

fn is_text(kind: &Kind) -> bool {
    matches!(kind, Kind::Utf8 | Kind::LargeUtf8 | Kind::Utf8View)
}

fn shown<T: ToString>(value: Option<&T>) -> Option<String> {
    value.map(T::to_string)
}

fn cast_to(chunks: Vec<ArrayRef>, kind: &Kind) -> PolarsResult<Vec<ArrayRef>> {
    chunks.into_iter().map(|chunk| cast(chunk.as_ref(), kind, CastOptionsImpl::default())).collect()
}

/// The values of arrays of this type, `None` for missing values. An array of another type yields no values.
fn each<T: NativeType>(chunks: &[ArrayRef]) -> impl Iterator<Item = Option<&T>> {
    let arrays = chunks.iter().filter_map(|chunk| chunk.as_any().downcast_ref::<PrimitiveArray<T>>());
    arrays.flat_map(PrimitiveArray::iter)
}

fn each_text(chunks: &[ArrayRef]) -> impl Iterator<Item = Option<&str>> {
    let arrays = chunks.iter().filter_map(|chunk| chunk.as_any().downcast_ref::<Utf8ViewArray>());
    arrays.flat_map(Utf8ViewArray::iter)
}

/// The numbers of a column, with `missing` for missing values. The numbers of a single array are moved, not copied, if nothing else holds them.
fn with_missing<T: NativeType>(chunks: Vec<ArrayRef>, missing: T) -> Vec<T> {
    let rows: usize = chunks.iter().map(|chunk| chunk.len()).sum();
    let mut all = Vec::new();
    for mut chunk in chunks {
        let Some(own) = chunk.as_any_mut().downcast_mut::<PrimitiveArray<T>>() else { continue };
        let (_, values, present) = std::mem::take(own).into_inner();
        let mut values = values.into_mut().right_or_else(|shared| shared.to_vec());
        if let Some(present) = present {
            let absent = present.iter().enumerate().filter(|(_, present)| !present);
            absent.for_each(|(at, _)| values[at] = missing);
        }
        if values.len() == rows {
            return values;
        }
        all.extend_from_slice(&values);
    }
    all
}

/// Whether 64-bit integers are exact as floating-point numbers. Ids of 20 digits are not.
fn fit_numbers<T: NativeType + Into<i128>>(chunks: &[ArrayRef]) -> bool {
    each::<T>(chunks).flatten().all(|value| (*value).into().abs() <= 1 << f64::MANTISSA_DIGITS)
}

/// Decimals of any width as 128-bit decimals.
fn decimals(chunks: Vec<ArrayRef>, kind: &Kind) -> PolarsResult<Vec<ArrayRef>> {
    let (Kind::Decimal32(precision, scale)
    | Kind::Decimal64(precision, scale)
    | Kind::Decimal(precision, scale)) = kind
    else {
        return Ok(chunks);
    };
    dec128_verify_prec_scale(*precision, *scale)?;
    let wide = Kind::Decimal(*precision, *scale);
    let widened = chunks.into_iter().map(|chunk| match kind {
        Kind::Decimal32(..) => widened::<i32>(chunk, &wide),
        Kind::Decimal64(..) => widened::<i64>(chunk, &wide),
        _ => chunk,
    });
    Ok(widened.collect())
}

fn widened<T: NativeType + Into<i128>>(chunk: ArrayRef, kind: &Kind) -> ArrayRef {
    let values: Vec<Option<i128>> =
        each::<T>(&[chunk]).map(|value| value.map(|value| (*value).into())).collect();
    PrimitiveArray::from(values).to(kind.clone()).boxed()
}

/// The texts of a dictionary, and the index of the text of each row.
type Dictionary = (Vec<Option<String>>, Vec<Option<usize>>);

fn texts_of_dictionary(array: &dyn Array) -> PolarsResult<Dictionary> {
    let Kind::Dictionary(keys, ..) = array.dtype() else { return Ok(Dictionary::default()) };
    match_integer_type!(keys, |$K| {
        let Some(array) = array.as_any().downcast_ref::<DictionaryArray<$K>>() else {
            return Ok(Dictionary::default());
        };
        let names = cast_to(vec![array.values().clone()], &Kind::Utf8View)?;
        let names = each_text(&names).map(|name| name.map(str::to_owned)).collect();
        Ok((names, array.keys_iter().collect()))
    })
}

/// The values of a dictionary one by one.
fn without_dictionary(array: &dyn Array) -> PolarsResult<ArrayRef> {
    let Kind::Dictionary(keys, ..) = array.dtype() else { return Ok(array.to_boxed()) };
    match_integer_type!(keys, |$K| {
        match array.as_any().downcast_ref::<DictionaryArray<$K>>() {
            Some(array) => gathered(array.values().as_ref(), array.keys_iter()),
            None => Ok(array.to_boxed()),
        }
    })
}

/// The values at these positions. A missing position gives a missing value.
fn gathered(values: &dyn Array, places: impl Iterator<Item = Option<usize>>) -> PolarsResult<ArrayRef> {
    match values.dtype().to_physical_type() {
        PhysicalType::Primitive(own) => Ok(with_match_primitive_type!(own, |$T| {
            let chunk = [values.to_boxed()];
            let own: Vec<Option<&$T>> = each::<$T>(&chunk).collect();
            let taken: Vec<Option<$T>> =
                places.map(|place| own.get(place?).copied().flatten().copied()).collect();
            PrimitiveArray::from(taken).to(values.dtype().clone()).boxed()
        })),
        PhysicalType::Boolean => {
            let own: Vec<Option<bool>> =
                values.as_any().downcast_ref::<BooleanArray>().into_iter().flatten().collect();
            Ok(BooleanArray::from_iter(places.map(|place| *own.get(place?)?)).boxed())
        }
        PhysicalType::Null => Ok(new_null_array(Kind::Null, places.count())),
        _ => {
            let bytes = cast_to(vec![values.to_boxed()], &Kind::BinaryView)?;
            let own: Vec<Option<&[u8]>> = bytes
                .iter()
                .filter_map(|chunk| chunk.as_any().downcast_ref::<BinaryViewArray>())
                .flat_map(BinaryViewArray::iter)
                .collect();
            let taken: Vec<Option<&[u8]>> = places.map(|place| *own.get(place?)?).collect();
            Ok(BinaryViewArray::from_slice(taken).boxed())
        }
    }
}

/// A day as `2024-01-31`.
fn day_text(day: i32) -> String {
    date32_to_date(day).format("%Y-%m-%d").to_string()
}

/// A date with a time; a zero fraction and a zero time of day are left out. Times with a zone are written in UTC, since local time would
/// need a list of zones.
fn moment(ticks: i64, unit: TimeUnit, zone: Option<&str>) -> String {
    let time = match unit {
        TimeUnit::Second => timestamp_s_to_datetime(ticks).format("%F %T%.3f"),
        TimeUnit::Millisecond => timestamp_ms_to_datetime(ticks).format("%F %T%.3f"),
        TimeUnit::Microsecond => timestamp_us_to_datetime(ticks).format("%F %T%.6f"),
        TimeUnit::Nanosecond => timestamp_ns_to_datetime(ticks).format("%F %T%.9f"),
    };
    time_text(&time.to_string(), zone.is_some())
}

/// A date and time, without a zero fraction or a zero time of day: `2024-01-31`, `2024-01-31 12:30:00 UTC`.
fn time_text(time: &str, zoned: bool) -> String {
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    let time = if fraction.bytes().all(|digit| digit == b'0') { whole } else { time };
    match time.strip_suffix(" 00:00:00") {
        Some(day) if !zoned => day.to_owned(),
        _ if zoned => format!("{time} UTC"),
        _ => time.to_owned(),
    }
}

/// A time of day as `12:30:00`; `None` for a time outside the day.
fn time_of_day(ticks: i64, unit: TimeUnit) -> Option<String> {
    let nanoseconds = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1000,
        TimeUnit::Nanosecond => 1,
    };
    let time = ticks.checked_mul(nanoseconds).filter(|time| (0..NANOSECONDS_OF_A_DAY).contains(time))?;
    Some(time64ns_to_time(time).format("%T").to_string())
}

/// # Errors
/// If the distinct texts exceed the limit. A file can hold one long text and present a different part of it in each row.
fn texts<T: AsRef<str>>(label: &str, all: impl Iterator<Item = Option<T>>) -> Result<Values> {
    let mut builder = LabelsBuilder::default();
    for text in all {
        builder.push(text.as_ref().map(T::as_ref));
        refuse_so_far(label, builder.bytes())?;
    }
    Ok(Values::texts(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_without_what_is_zero() {
        assert_eq!(time_text("2024-01-31 00:00:00.000", false), "2024-01-31");
        assert_eq!(time_text("2024-01-31 12:30:00.000000", true), "2024-01-31 12:30:00 UTC");
        assert_eq!(time_text("2024-01-31 12:30:00.5", false), "2024-01-31 12:30:00.5");
        assert_eq!(time_text("2024-01-31 00:00:00", true), "2024-01-31 00:00:00 UTC");
    }

    #[test]
    fn times_beyond_their_day_are_missing() {
        assert_eq!(time_of_day(86_399_999, TimeUnit::Millisecond).as_deref(), Some("23:59:59"));
        assert_eq!(time_of_day(86_400_000, TimeUnit::Millisecond), None);
        assert_eq!(time_of_day(-1, TimeUnit::Nanosecond), None);
    }
}
