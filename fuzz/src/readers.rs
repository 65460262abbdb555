//! One function for each reader: any bytes may come, and what comes back is a value or an error.

use std::hint::black_box;
use std::io::{Cursor, Write};
use std::sync::{Once, OnceLock};

use halfmax_data::{
    CellLines, DataConfig, MatrixOptions, PartSize, ReadingOptions, TableOptions, TargetConfig,
    fingerprint_of, inspect_table, read_bytes, read_matrices, read_model_bytes, read_readings,
    read_responses,
};
use halfmax_mechanisms::parse_gmt;
use serde::Deserialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Delimited text. The first byte chooses the ending of the name, which promises a separator.
pub fn text(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let label = ["t.csv", "t.tsv", "t.txt", "t.gct", "t.maf.gz"][usize::from(*first) % 5];
    table(label, rest);
}

/// Workbooks and archives. The first byte chooses what the others are: the whole file, or one part of a workbook whose other
/// parts are sound, so that what is changed in it gets past the check sums of the archive.
pub fn workbook(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let name = match first % 8 {
        0 => return table("t.xlsx", rest),
        1 => "xl/worksheets/sheet1.xml",
        2 => "xl/sharedStrings.xml",
        3 => "xl/workbook.xml",
        4 => "xl/styles.xml",
        5 => return table("t.ods", &open_document_with(rest)),
        6 => return table("t.zip", &archive(&[("t.csv", rest)])),
        _ => return table("t.zip", &archive(&[("t.xls", rest)])),
    };
    table("t.xlsx", &workbook_with(name, rest));
}

/// A small workbook, one part of which holds these bytes; a sound one, where it has no part of this name.
pub fn workbook_with(name: &str, bytes: &[u8]) -> Vec<u8> {
    let own = |(part, sound): &(&'static str, &'static str)| {
        (*part, if *part == name { bytes } else { sound.as_bytes() })
    };
    archive(&SOUND.iter().map(own).collect::<Vec<(&str, &[u8])>>())
}

/// A workbook in OpenDocument whose content is these bytes.
pub fn open_document_with(content: &[u8]) -> Vec<u8> {
    let manifest =
        r#"<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>"#;
    archive(&[
        ("mimetype", ODS.as_bytes()),
        ("META-INF/manifest.xml", manifest.as_bytes()),
        ("content.xml", content),
    ])
}

const ODS: &str = "application/vnd.oasis.opendocument.spreadsheet";

/// The parts of a small workbook.
const SOUND: [(&str, &str); 6] = [
    (
        "_rels/.rels",
        r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#,
    ),
    (
        "xl/_rels/workbook.xml.rels",
        r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings" Target="sharedStrings.xml"/></Relationships>"#,
    ),
    (
        "xl/workbook.xml",
        r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
    ),
    (
        "xl/styles.xml",
        r#"<?xml version="1.0"?><styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>"#,
    ),
    (
        "xl/sharedStrings.xml",
        r#"<?xml version="1.0"?><sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>cell_line</t></si><si><t>drug</t></si><si><t>auc</t></si><si><t>L1</t></si></sst>"#,
    ),
    (
        "xl/worksheets/sheet1.xml",
        r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c></row><row r="2"><c r="A2" t="s"><v>3</v></c><c r="B2" t="inlineStr"><is><t>D1</t></is></c><c r="C2"><v>0.5</v></c></row></sheetData></worksheet>"#,
    ),
];

/// An archive of these files, not compressed.
fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in files {
        let _ = zip.start_file(*name, options).map(|()| zip.write_all(bytes));
    }
    zip.finish().map(Cursor::into_inner).unwrap_or_default()
}

/// Parquet and Arrow files.
pub fn parquet(bytes: &[u8]) {
    table("t.parquet", bytes);
}

/// Files that are read part by part. The first byte chooses the ending of the name, and the size of parts.
pub fn parts(bytes: &[u8]) {
    limited();
    let Some((first, rest)) = bytes.split_first() else { return };
    let ending = [".parquet", ".csv", ".csv.gz", ".tsv"][usize::from(*first) % 4];
    let size = PartSize::of_bytes([1, 16, 64, 256][usize::from(*first >> 2) % 4]);
    let Ok(file) = tempfile::Builder::new().suffix(ending).tempfile() else { return };
    if std::fs::write(file.path(), rest).is_err() {
        return;
    }
    let Ok(parts) = TableOptions::default().parts(file.path(), size) else { return };
    let _ = black_box(parts.sample());
    let mut rows = 0;
    let _ = black_box(parts.each(|part| {
        rows += part.rows();
        Ok(())
    }));
}

/// Structures of drugs.
pub fn smiles(bytes: &[u8]) {
    if let Ok(text) = str::from_utf8(bytes) {
        let _ = black_box(fingerprint_of(text, 512));
    }
}

/// Gene sets.
pub fn gmt(bytes: &[u8]) {
    let _ = black_box(parse_gmt(&String::from_utf8_lossy(bytes), "t.gmt"));
}

/// The parts of a configuration that say what is read.
pub fn config(bytes: &[u8]) {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        data: DataConfig,
        #[serde(default)]
        target: TargetConfig,
    }
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(config) = toml::from_str::<Config>(text) {
        let written = (toml::to_string(&config.data), toml::to_string(&config.target));
        let _ = black_box(written);
    }
}

/// Model files. The first byte chooses what the others are: the whole file, its description, or its arrays.
pub fn model(bytes: &[u8]) {
    limited();
    let Some((first, rest)) = bytes.split_first() else { return };
    let description = |tensors: &[u8]| {
        let sha256 = halfmax_data::sha256_bytes(tensors);
        let length = tensors.len();
        format!(
            r#"{{"format_version":2,"crate_version":"0","family":"naive","meta":null,"tensors":[{{"name":"a","dtype":"f64","length":1}}],"tensors_sha256":"{sha256}","tensors_bytes":{length},"description":{{}}}}"#
        )
    };
    let whole = |description: &[u8], tensors: &[u8]| {
        let [own, arrays] = [description, tensors].map(halfmax_data::sha256_bytes);
        let digests = format!("{own}  model.json\n{arrays}  tensors.safetensors\n");
        let files = [
            ("model.json", description),
            ("tensors.safetensors", tensors),
            ("SHA256SUMS", digests.as_bytes()),
        ];
        archive(&files)
    };
    let file = match first % 3 {
        0 => rest.to_vec(),
        1 => whole(rest, b""),
        _ => whole(description(rest).as_bytes(), rest),
    };
    let _ = black_box(read_model_bytes("t.halfmax", &file));
}

/// Opens a file and has every reader of tables look at what it holds.
fn table(label: &str, bytes: &[u8]) {
    limited();
    let Ok(table) = read_bytes(label, bytes) else { return };
    let Some(lines) = known_lines() else { return };
    let _ = black_box(inspect_table(&table, lines));
    let _ = black_box(read_responses(&table, lines, &TargetConfig::default(), None));
    let _ = black_box(read_matrices(&table, &MatrixOptions::default()));
    let _ = black_box(read_readings(table, &ReadingOptions::default()));
}

/// Lets files unpack to 64 MiB, so that what takes more is a fault.
fn limited() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| halfmax_data::set_unpack_limit(64 << 20));
}

fn known_lines() -> Option<&'static CellLines> {
    static LINES: OnceLock<Option<CellLines>> = OnceLock::new();
    LINES.get_or_init(|| CellLines::embedded().ok()).as_ref()
}
