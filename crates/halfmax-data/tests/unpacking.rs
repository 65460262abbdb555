//! The limit on unpacked sizes: small files that unpack to large ones are refused before they fill the memory, and are
//! read with a higher limit. The limit applies to the process, so these tests form a separate test binary.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use halfmax_core::{Error, StoredModel, Tensor};
use halfmax_data::{
    OutputColumn, PartSize, TableOptions, TableWriter, read_model, read_table, set_unpack_limit, write_model,
};
use polars_arrow::array::BooleanArray;
use polars_arrow::datatypes::{ArrowDataType, ArrowSchema, Field};
use polars_arrow::io::ipc::write::{FileWriter, WriteOptions};
use polars_arrow::record_batch::RecordBatchT;
use zip::write::SimpleFileOptions;

const LIMIT: u64 = 1 << 20;
const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006/relationships";

const MANIFEST: &str =
    r#"<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>"#;

fn gzip(path: &Path, text: &str) {
    let mut out = GzEncoder::new(fs::File::create(path).unwrap(), Compression::best());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap();
}

fn zipped(path: &Path, files: &[(&str, &str)]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for (name, text) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap();
}

/// A workbook with these rows of a sheet, and a text that its cells may share.
fn workbook(path: &Path, shared: &str, rows: &str) {
    let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    let sheets = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relation = |id: &str, kind: &str, target: &str| {
        format!(r#"<Relationship Id="{id}" Type="{relations}/{kind}" Target="{target}"/>"#)
    };
    let related = relation("rId1", "worksheet", "worksheets/sheet1.xml")
        + &relation("rId2", "sharedStrings", "sharedStrings.xml");
    zipped(
        path,
        &[
            (
                "_rels/.rels",
                &format!(
                    r#"<Relationships xmlns="{PACKAGE}">{}</Relationships>"#,
                    relation("rId1", "officeDocument", "xl/workbook.xml")
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                &format!(r#"<Relationships xmlns="{PACKAGE}">{related}</Relationships>"#),
            ),
            (
                "xl/workbook.xml",
                &format!(
                    r#"<workbook xmlns="{sheets}" xmlns:r="{relations}"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>"#
                ),
            ),
            ("xl/sharedStrings.xml", &format!(r#"<sst xmlns="{sheets}"><si><t>{shared}</t></si></sst>"#)),
            (
                "xl/worksheets/sheet1.xml",
                &format!(r#"<worksheet xmlns="{sheets}"><sheetData>{rows}</sheetData></worksheet>"#),
            ),
        ],
    );
}

fn sheet_of_open_document(path: &Path, rows: usize, columns: usize) {
    let cell = |repeats: usize| {
        format!(
            r#"<table:table-cell table:number-columns-repeated="{repeats}" office:value-type="float" office:value="1"><text:p>1</text:p></table:table-cell>"#
        )
    };
    let head = (0..columns).map(|at| {
        format!(r#"<table:table-cell office:value-type="string"><text:p>c{at}</text:p></table:table-cell>"#)
    });
    let content = format!(
        r#"<office:document-content xmlns:office="o" xmlns:table="t" xmlns:text="x"><office:body><office:spreadsheet><table:table table:name="a"><table:table-row>{}</table:table-row><table:table-row table:number-rows-repeated="{rows}">{}</table:table-row></table:table></office:spreadsheet></office:body></office:document-content>"#,
        head.collect::<String>(),
        cell(columns)
    );
    zipped(
        path,
        &[
            ("mimetype", "application/vnd.oasis.opendocument.spreadsheet"),
            ("META-INF/manifest.xml", MANIFEST),
            ("content.xml", &content),
        ],
    );
}

/// A Parquet file with one number in many rows.
fn parquet(path: &Path, rows: usize) {
    let mut writer = TableWriter::create(path).unwrap();
    let (lines, values) = (vec!["A549"; rows], vec![0.5; rows]);
    writer.write(&[("line", OutputColumn::Text(&lines)), ("value", OutputColumn::F64(&values))]).unwrap();
    writer.finish().unwrap();
}

fn arrow(path: &Path, rows: usize) {
    let field = Field::new("yes".into(), ArrowDataType::Boolean, false);
    let schema: ArrowSchema = std::iter::once((field.name.clone(), field)).collect();
    let schema = std::sync::Arc::new(schema);
    let out = fs::File::create(path).unwrap();
    let mut writer =
        FileWriter::try_new(out, schema.clone(), None, WriteOptions { compression: None }).unwrap();
    let column = BooleanArray::from_slice(vec![true; rows]).boxed();
    writer.write(&RecordBatchT::new(rows, schema, vec![column]), None).unwrap();
    writer.finish().unwrap();
}

/// Reads a file that is refused at first and accepted with a higher limit.
fn is_refused<T>(path: &Path, read: impl Fn(&Path) -> Result<T, Error>) -> T {
    set_unpack_limit(LIMIT);
    let packed = fs::metadata(path).unwrap().len();
    assert!(packed < LIMIT / 3, "{}: {packed} bytes", path.display());
    let Err(error) = read(path) else { panic!("{}: was read", path.display()) };
    let text = error.to_string();
    assert!(text.contains(&path.file_name().unwrap().to_string_lossy().into_owned()), "{text}");
    assert!(text.contains("unpacks to") && text.contains("limit"), "{text}");
    assert!(error.help().is_some_and(|help| help.contains("--unpack-limit")), "{error:?}");
    set_unpack_limit(64 * LIMIT);
    read(path).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_unpacks_beyond_the_limit_is_refused_until_it_is_raised() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| -> PathBuf { folder.path().join(name) };
    let rows = |path: &Path| read_table(path).map(|table| table.rows());
    let text = format!("line,value\n{}", "A549,0.5\n".repeat(300_000));

    gzip(&place("t.csv.gz"), &text);
    assert_eq!(is_refused(&place("t.csv.gz"), rows), 300_000);

    zipped(&place("t.zip"), &[("t.csv", &text)]);
    assert_eq!(is_refused(&place("t.zip"), rows), 300_000);

    // The first row is the header.
    let row = "<row><c><v>1</v></c><c><v>2</v></c></row>";
    workbook(&place("long.xlsx"), "a", &row.repeat(40_000));
    assert_eq!(is_refused(&place("long.xlsx"), rows), 39_999);

    let shared = r#"<row><c t="s"><v>0</v></c><c t="s"><v>0</v></c></row>"#;
    workbook(&place("shared.xlsx"), &"x".repeat(10_000), &shared.repeat(200));
    is_refused(&place("shared.xlsx"), |path| {
        read_table(path).map(|_| ()).or_else(|error| {
            // A table of a single text is invalid; only the limit matters here.
            if error.to_string().contains("unpacks to") { Err(error) } else { Ok(()) }
        })
    });

    sheet_of_open_document(&place("repeated.ods"), 1000, 100);
    assert_eq!(is_refused(&place("repeated.ods"), rows), 1000);

    parquet(&place("t.parquet"), 200_000);
    assert_eq!(is_refused(&place("t.parquet"), rows), 200_000);

    arrow(&place("t.feather"), 200_000);
    assert_eq!(is_refused(&place("t.feather"), rows), 200_000);

    let parts = StoredModel {
        tensors: [("a".to_owned(), Tensor::F64(vec![0.0; 200_000]))].into(),
        ..StoredModel::default()
    };
    write_model(place("arrays.halfmax"), "naive", &parts, serde_json::Value::Null).unwrap();
    is_refused(&place("arrays.halfmax"), |path| read_model(path).map(|_| ()));
    let text = serde_json::Value::from(" ".repeat(100_000));
    write_model(place("text.halfmax"), "naive", &StoredModel::default(), text).unwrap();
    is_refused(&place("text.halfmax"), |path| read_model(path).map(|_| ()));

    // A file that is read in parts is never in memory as a whole.
    set_unpack_limit(LIMIT);
    for name in ["t.csv.gz", "t.parquet"] {
        let parts = TableOptions::default().parts(&place(name), PartSize::of_bytes(1000)).unwrap();
        assert!(parts.is_divided(), "{name}");
        let mut rows = 0;
        parts
            .each(|part| {
                rows += part.rows();
                Ok(())
            })
            .unwrap();
        assert!(rows >= 200_000, "{name}: {rows}");
    }
}
