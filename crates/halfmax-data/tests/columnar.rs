//! Parquet and Feather files with columns of every type that pyarrow writes: numbers and texts are read and other types
//! set aside, at once or in parts.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use halfmax_data::{PartSize, RawTable, TableOptions, read_table};

fn file(ending: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/parquet/every-type").with_extension(ending)
}

fn column(table: &RawTable, name: &str) -> usize {
    table.names().iter().position(|own| own == name).unwrap_or_else(|| panic!("no column {name}"))
}

fn texts(table: &RawTable, name: &str) -> Vec<String> {
    let texts = table.texts(column(table, name)).unwrap_or_else(|error| panic!("{error}"));
    texts.into_iter().map(|text| text.unwrap_or_default()).collect()
}

fn numbers(table: &RawTable, name: &str) -> Vec<f64> {
    table.numbers(column(table, name), "a number").unwrap_or_else(|error| panic!("{error}")).to_vec()
}

/// The type of each column that is set aside, in words.
const ASIDE: [(&str, &str); 14] = [
    ("dec256", "decimals of 256 bits"),
    ("dur_s", "durations"),
    ("dur_ns", "durations"),
    ("struct", "structures of \"a\", \"b\""),
    ("list", "lists of numbers"),
    ("llist", "lists of numbers"),
    ("fsl", "lists of 2 numbers"),
    ("map", "holds"),
    ("nest", "lists of lists of numbers"),
    ("lstr", "lists of texts"),
    ("lstruct", "lists of structures of \"a\""),
    ("uuid", "extension type \"arrow.uuid\""),
    ("bin_raw", "bytes that are not text"),
    ("time32s", "times of the day in seconds"),
];

fn check(table: &RawTable, ending: &str) {
    for name in ["dec32", "dec64", "dec128", "dict_dec", "f16", "f32", "dict_f"] {
        assert_eq!(numbers(table, name), [0.5, 1.5, 2.5], "{ending}: {name}");
    }
    for name in ["u8", "u16", "u32", "u64", "i8", "i16", "dict_i"] {
        assert_eq!(numbers(table, name), [0.0, 1.0, 2.0], "{ending}: {name}");
    }
    assert_eq!(numbers(table, "bool"), [0.0, 1.0, 0.0], "{ending}");
    assert!(numbers(table, "null").iter().all(|value| value.is_nan()), "{ending}");
    for name in ["dict_s", "bin", "fsb", "lbin", "lstring", "sview"] {
        assert_eq!(texts(table, name), ["P0", "P1", "P2"], "{ending}: {name}");
    }
    let days = ["2024-01-01", "2024-01-02", "2024-01-03"];
    for name in ["date32", "date64", "dict_date"] {
        assert_eq!(texts(table, name), days, "{ending}: {name}");
    }
    for name in ["ts_s", "ts_ms"] {
        assert_eq!(texts(table, name), days.map(|day| format!("{day} 12:00:00")), "{ending}: {name}");
    }
    assert_eq!(texts(table, "ts_us_utc"), days.map(|day| format!("{day} 12:00:00 UTC")), "{ending}");
    assert_eq!(texts(table, "ts_ns_ber"), days.map(|day| format!("{day} 12:00:00 UTC")), "{ending}");
    for name in ["time32", "time64"] {
        assert_eq!(texts(table, name), ["01:02:03", "02:02:03", "03:02:03"], "{ending}: {name}");
    }
    for (name, kind) in ASIDE {
        if name == "time32s" && ending == "feather" {
            assert_eq!(texts(table, name), ["01:02:03", "02:02:03", "03:02:03"]);
            continue;
        }
        let error = table.texts(column(table, name)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("{name:?}")) && text.contains(kind), "{ending}: {text}");
        assert!(error.help().is_some(), "{text}");
    }
}

#[test]
fn columns_of_every_type_are_read_or_set_aside() {
    for ending in ["parquet", "feather"] {
        let table = read_table(file(ending)).unwrap_or_else(|error| panic!("{error}"));
        check(&table, ending);
        let notes: Vec<String> = table.notes().iter().map(ToString::to_string).collect();
        let aside =
            notes.iter().find(|note| note.contains("set aside")).unwrap_or_else(|| panic!("{notes:?}"));
        assert!(aside.contains("\"dec256\" (decimals of 256 bits)"), "{aside}");
    }
}

#[test]
fn parts_are_read_as_the_whole_is() {
    for part in [1, 1 << 20] {
        let parts = TableOptions::default().parts(&file("parquet"), PartSize::of_bytes(part)).unwrap();
        assert_eq!(parts.is_divided(), part == 1);
        assert!(parts.sample().unwrap().notes().iter().any(|note| note.to_string().contains("set aside")));
        let mut f16 = Vec::new();
        parts
            .each(|table| {
                f16.extend(numbers(&table, "f16"));
                assert!(table.texts(column(&table, "struct")).is_err());
                Ok(())
            })
            .unwrap();
        assert_eq!(f16, [0.5, 1.5, 2.5]);
    }
}
