//! Which types of columns of Parquet and Arrow files hold numbers or texts. Other columns are not unpacked.

use polars_arrow::datatypes::{ArrowDataType, TimeUnit};

/// The file format that a column comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Parquet,
    Arrow,
}

/// A description of a column type that is set aside; `None` for a type that is read.
pub(super) fn set_aside(kind: &ArrowDataType, source: Source) -> Option<String> {
    use ArrowDataType as Kind;
    match kind {
        Kind::Null | Kind::Boolean | Kind::Float16 | Kind::Float32 | Kind::Float64 => None,
        Kind::Int8 | Kind::Int16 | Kind::Int32 | Kind::Int64 => None,
        Kind::UInt8 | Kind::UInt16 | Kind::UInt32 | Kind::UInt64 => None,
        Kind::Decimal(..) | Kind::Decimal32(..) | Kind::Decimal64(..) => None,
        Kind::Utf8 | Kind::LargeUtf8 | Kind::Utf8View => None,
        Kind::Binary | Kind::LargeBinary | Kind::BinaryView | Kind::FixedSizeBinary(_) => None,
        Kind::Date32 | Kind::Date64 | Kind::Timestamp(..) | Kind::Time64(_) => None,
        // polars 0.55 reads the milliseconds of such a Parquet column as seconds, and values beyond a day as missing.
        Kind::Time32(TimeUnit::Second) if source == Source::Parquet => {
            Some("times of the day in seconds".into())
        }
        Kind::Time32(_) => None,
        Kind::Duration(_) => Some("durations".into()),
        Kind::Dictionary(_, values, _) => set_aside(values, source),
        other => Some(words(other)),
    }
}

fn words(kind: &ArrowDataType) -> String {
    use ArrowDataType as Kind;
    match kind {
        Kind::List(item) | Kind::LargeList(item) => format!("lists of {}", words(&item.dtype)),
        Kind::FixedSizeList(item, count) => format!("lists of {count} {}", words(&item.dtype)),
        Kind::Struct(fields) => {
            let names: Vec<String> =
                fields.iter().map(|field| format!("{:?}", field.name.as_str())).collect();
            format!("structures of {}", halfmax_core::listed(&names, 4))
        }
        Kind::Map(..) => "maps".into(),
        Kind::Decimal256(..) => "decimals of 256 bits".into(),
        Kind::Interval(_) => "intervals of the calendar".into(),
        Kind::Extension(own) => format!("values of the extension type {:?}", own.name.as_str()),
        Kind::Utf8 | Kind::LargeUtf8 | Kind::Utf8View => "texts".into(),
        Kind::Float16
        | Kind::Float32
        | Kind::Float64
        | Kind::Int8
        | Kind::Int16
        | Kind::Int32
        | Kind::Int64 => "numbers".into(),
        other => format!("values of type {other:?}"),
    }
}
