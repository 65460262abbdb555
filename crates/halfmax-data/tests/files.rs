//! Atomic output: files are complete or missing, and read back unchanged.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use halfmax_core::{Error, StoredModel, Tensor};
use halfmax_data::{
    PredictionColumns, PredictionRow, PredictionWriter, RunFolder, ScoreBlock, ScoreWriter, read_model,
    read_table, sha256_bytes, sha256_file, write_atomically, write_model,
};
use serde_json::json;
use zip::write::SimpleFileOptions;

fn parts() -> StoredModel {
    let tensors = BTreeMap::from([
        ("a".to_owned(), Tensor::F32(vec![0.5, f32::NAN, -1.0])),
        ("b".to_owned(), Tensor::U8(vec![1, 2, 255])),
        ("c".to_owned(), Tensor::F64(vec![1e-300])),
        ("d".to_owned(), Tensor::I32(vec![-7])),
        ("e".to_owned(), Tensor::U32(vec![])),
    ]);
    StoredModel { description: json!({"rounds": 3, "base": 0.1}), tensors }
}

#[track_caller]
fn says<T>(result: Result<T, Error>, words: &[&str]) {
    let Err(error) = result else { panic!("expected an error that says {words:?}") };
    let text = format!("{error} {}", error.help().unwrap_or_default());
    for word in words {
        assert!(text.contains(word), "{text:?} does not say {word:?}");
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The model file again, with one of its files changed.
fn changed(path: &Path, to: &Path, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) {
    let mut old = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    let mut new = zip::ZipWriter::new(fs::File::create(to).unwrap());
    for at in 0..old.len() {
        let mut entry = old.by_index(at).unwrap();
        let name = entry.name().unwrap().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if let Some(bytes) = change(&name, bytes) {
            new.start_file(name, SimpleFileOptions::default()).unwrap();
            new.write_all(&bytes).unwrap();
        }
    }
    new.finish().unwrap();
}

#[test]
fn a_model_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.halfmax");
    write_model(&path, "boost", &parts(), json!({"target": "LN_IC50"})).unwrap();
    let first = fs::read(&path).unwrap();
    let (header, read) = read_model(&path).unwrap();
    assert_eq!((header.family.as_str(), &header.meta["target"]), ("boost", &json!("LN_IC50")));
    assert_eq!(read.description, parts().description);
    assert_eq!(format!("{:?}", read.tensors), format!("{:?}", parts().tensors));
    write_model(&path, "boost", &parts(), json!({"target": "LN_IC50"})).unwrap();
    assert_eq!(first, fs::read(&path).unwrap());
    assert_eq!(names_in(folder.path()), ["model.halfmax"]);
}

#[test]
fn a_model_file_that_is_not_whole_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.halfmax");
    let other = folder.path().join("other.halfmax");
    write_model(&path, "boost", &parts(), json!({})).unwrap();
    let bytes = fs::read(&path).unwrap();
    says(read_model(folder.path().join("none.halfmax")), &["none.halfmax", "no such file"]);
    fs::write(&other, b"cell_line,x\n").unwrap();
    says(read_model(&other), &["other.halfmax", "not a model file"]);
    for length in (5..bytes.len()).step_by(7) {
        fs::write(&other, &bytes[..length]).unwrap();
        says(read_model(&other), &["other.halfmax"]);
    }
    fs::write(&other, &bytes[..bytes.len() / 2]).unwrap();
    says(read_model(&other), &["truncated"]);
    changed(&path, &other, |name, bytes| (name != "tensors.safetensors").then_some(bytes));
    says(read_model(&other), &["not a model file", "tensors.safetensors"]);
}

/// Changes the description of a model file, and its digest with it.
fn described(path: &Path, other: &Path, from: &str, to: &str) {
    let document = std::cell::RefCell::new(String::new());
    changed(path, other, |name, bytes| {
        let text = || String::from_utf8(bytes.clone()).unwrap();
        Some(match name {
            "model.json" => {
                assert!(text().contains(from), "{from}");
                *document.borrow_mut() = text().replace(from, to);
                document.borrow().clone().into_bytes()
            }
            "SHA256SUMS" => {
                let arrays = text().lines().nth(1).unwrap().to_owned();
                let own = sha256_bytes(document.borrow().as_bytes());
                format!("{own}  model.json\n{arrays}\n").into_bytes()
            }
            _ => bytes,
        })
    });
}

#[test]
fn an_altered_or_newer_model_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.halfmax");
    let other = folder.path().join("other.halfmax");
    write_model(&path, "boost", &parts(), json!({})).unwrap();
    for (file, named) in [
        ("tensors.safetensors", "tensors.safetensors"),
        ("model.json", "model.json"),
        ("SHA256SUMS", "model.json"),
    ] {
        changed(&path, &other, |name, mut bytes| {
            if name == file {
                // A letter of the family, of a digest, or of a number.
                let at = bytes.windows(5).position(|window| window == b"boost").unwrap_or(bytes.len() - 30);
                bytes[at] ^= 1;
            }
            Some(bytes)
        });
        says(read_model(&other), &["other.halfmax", "altered", "SHA-256", named]);
    }
    let rewritten = |from: &str, to: &str| {
        described(&path, &other, from, to);
        read_model(&other)
    };
    assert!(rewritten("\"length\":3", "\"length\": 3").is_ok());
    says(rewritten("\"format_version\":2", "\"format_version\":3"), &["format 3", "up to 2", "use halfmax"]);
    says(rewritten("\"format_version\":2", "\"format_version\":0"), &["its format is 0"]);
    says(rewritten("\"length\":3", "\"length\":18446744073709551615"), &["altered"]);
    says(rewritten("\"length\":3", "\"length\":2"), &["altered", "expected 2"]);
    says(rewritten("\"family\"", "\"famly\""), &["is invalid", "famly"]);
    says(rewritten("\"meta\":{}", "\"meta\":{},\"more\":1"), &["is invalid", "more"]);
    says(rewritten("\"length\":3", "\"length\":3,\"more\":1"), &["is invalid", "more"]);
}

#[test]
fn files_of_the_first_format_are_read_and_others_in_a_model_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.halfmax");
    let first = folder.path().join("first.halfmax");
    let other = folder.path().join("other.halfmax");
    write_model(&path, "boost", &parts(), json!({})).unwrap();
    describes_first(&path, &first);
    let (header, read) = read_model(&first).unwrap();
    assert_eq!((header.format_version, format!("{read:?}")), (1, format!("{:?}", parts())));
    // Digests do not fit the first format, and the second format needs them.
    described(&path, &other, "\"format_version\":2", "\"format_version\":1");
    says(read_model(&other), &["other.halfmax", "altered", "SHA256SUMS"]);
    changed(&path, &other, |name, bytes| (name != "SHA256SUMS").then_some(bytes));
    says(read_model(&other), &["other.halfmax", "lacks SHA256SUMS"]);
    changed(&path, &other, |name, bytes| Some(if name == "SHA256SUMS" { Vec::new() } else { bytes }));
    says(read_model(&other), &["other.halfmax", "altered", "SHA256SUMS"]);
    let mut zip =
        zip::ZipWriter::new_append(fs::File::options().read(true).write(true).open(&path).unwrap()).unwrap();
    zip.start_file("more.bin", SimpleFileOptions::default()).unwrap();
    zip.finish().unwrap();
    says(read_model(&path), &["m.halfmax", "\"more.bin\""]);
}

/// The file in the first version of the format.
fn describes_first(path: &Path, first: &Path) {
    changed(path, first, |name, bytes| {
        let text = || String::from_utf8(bytes.clone()).unwrap();
        match name {
            "model.json" => Some(text().replace("\"format_version\":2", "\"format_version\":1").into_bytes()),
            "SHA256SUMS" => None,
            _ => Some(bytes),
        }
    });
}

#[test]
fn every_altered_byte_is_noticed_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.halfmax");
    write_model(&path, "boost", &parts(), json!({})).unwrap();
    let bytes = fs::read(&path).unwrap();
    let whole = read_model(&path).unwrap();
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x55;
        fs::write(&path, &altered).unwrap();
        if let Ok(read) = read_model(&path) {
            assert_eq!(format!("{read:?}"), format!("{whole:?}"), "byte {at}");
        }
    }
}

#[test]
fn a_file_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.txt");
    let failed = write_atomically(&path, |out| {
        out.write_all(b"half")?;
        Err(std::io::Error::from(std::io::ErrorKind::StorageFull))
    });
    says(failed, &["out.txt", "the disk is full"]);
    assert!(names_in(folder.path()).is_empty());
    write_atomically(&path, |out| out.write_all(b"whole")).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"whole");
    let sum = sha256_file(&path).unwrap();
    assert_eq!((sum.len(), &sum[..8]), (64, "5d5766cf"));
    says(write_atomically(folder.path().join("no/such/out"), |_| Ok(())), &["does not exist"]);
    says(write_atomically(path.join("below"), |_| Ok(())), &["cannot be written"]);
    says(write_atomically(folder.path(), |_| Ok(())), &["is a folder"]);
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(folder.path().join("probe"), b"").is_ok() {
        println!("skipped: this user may write everywhere");
        return;
    }
    says(write_atomically(folder.path().join("out"), |_| Ok(())), &["write-protected"]);
    says(RunFolder::create(folder.path().join("run")), &["write-protected"]);
}

#[test]
fn a_run_folder_gets_its_name_when_complete() {
    let above = tempfile::tempdir().unwrap();
    let target = above.path().join("run");
    let run = RunFolder::create(&target).unwrap();
    run.write("config.toml", b"name = 1").unwrap();
    assert!(!target.exists());
    drop(run);
    assert!(names_in(above.path()).is_empty(), "a run that is given up leaves nothing");
    let run = RunFolder::create(&target).unwrap();
    run.write("config.toml", b"name = 1").unwrap();
    assert_eq!(run.finish().unwrap(), target);
    assert_eq!(names_in(above.path()), ["run"]);
    says(RunFolder::create(&target), &["run", "not empty"]);
    says(RunFolder::create(target.join("config.toml")), &["is a file"]);
}

#[cfg(unix)]
#[test]
fn a_run_folder_may_be_spelt_and_linked_as_one_likes() {
    let above = tempfile::tempdir().unwrap();
    let target = above.path().join("run");
    let write = |target: &std::path::Path| {
        let run = RunFolder::create(target).unwrap();
        run.write("config.toml", b"name = 1").unwrap();
        run.finish().unwrap()
    };
    assert_eq!(write(&target.join(".")), target);
    let empty = above.path().join("empty");
    fs::create_dir(&empty).unwrap();
    std::os::unix::fs::symlink("empty", above.path().join("link")).unwrap();
    write(&above.path().join("link"));
    assert!(above.path().join("link").is_symlink() && empty.join("config.toml").is_file());
    std::os::unix::fs::symlink("later", above.path().join("dangling")).unwrap();
    write(&above.path().join("dangling"));
    let mut names = names_in(above.path());
    names.sort_unstable();
    assert_eq!(names, ["dangling", "empty", "later", "link", "run"]);
    // The remains of a killed process, beside the folder and inside it.
    let left = above.path().join("next");
    fs::create_dir_all(left.join("next.partial-Ab12Cd")).unwrap();
    fs::create_dir(above.path().join("next.partial-Zz99zz")).unwrap();
    let run = RunFolder::create(&left).unwrap();
    assert_eq!(run.removed().len(), 2);
    says(RunFolder::create(&left), &["next", "another halfmax process is writing it"]);
    drop(run);
    assert_eq!(names_in(&left).len(), 0);
}

#[test]
fn a_run_that_cannot_get_its_name_is_kept() {
    // A parent folder that is itself temporary keeps its name.
    let above = tempfile::Builder::new().prefix("above.partial-").tempdir().unwrap();
    let target = above.path().join("run");
    let run = RunFolder::create(&target).unwrap();
    run.write("config.toml", b"name = 1").unwrap();
    fs::create_dir(&target).unwrap();
    fs::write(target.join("other"), b"of somebody else").unwrap();
    let error = run.finish().unwrap_err();
    let mut names = names_in(above.path());
    names.sort_unstable();
    let [_, kept] = names.as_slice() else { panic!("{names:?}") };
    assert!(kept.starts_with("run.complete-"), "{kept}");
    assert!(error.help().unwrap().contains(kept.as_str()), "{error}");
    assert_eq!(fs::read(above.path().join(kept).join("config.toml")).unwrap(), b"name = 1");
    assert!(RunFolder::create(above.path().join("run2")).is_ok());
}

#[test]
fn predictions_and_scores_are_written_in_each_format() {
    let folder = tempfile::tempdir().unwrap();
    let row = |cell_line, fold, observed, predicted| PredictionRow {
        cell_line,
        drug: 0,
        drug_b: None,
        fold,
        observed,
        predicted,
        interval: None,
    };
    let rows = [row(1, 2, 0.5, 0.1), row(0, 3, f32::NAN, 1.5)];
    let (cells, drugs) = (["A".to_owned(), "B".to_owned()], ["Drug \"x\"".to_owned()]);
    for ending in ["parquet", "csv"] {
        let path = folder.path().join(format!("p.{ending}"));
        let mut writer =
            PredictionWriter::create(&path, &cells, &drugs, PredictionColumns::default()).unwrap();
        writer.write("m, 1", [rows[0]]).unwrap();
        writer.write("n", [rows[1]]).unwrap();
        assert!(!path.exists());
        writer.finish().unwrap();
        let table = read_table(&path).unwrap();
        assert_eq!(table.names(), ["cell_line", "drug", "fold", "model", "observed", "predicted"]);
        assert_eq!(table.texts(1).unwrap()[0].as_deref(), Some("Drug \"x\""));
        assert_eq!(table.texts(3).unwrap()[0].as_deref(), Some("m, 1"));
        assert_eq!(table.numbers(5, "").unwrap()[1], 1.5);
        assert!(table.numbers(4, "").unwrap()[1].is_nan());
        let intervals = PredictionColumns { intervals: true, ..PredictionColumns::default() };
        let mut writer = PredictionWriter::create(&path, &cells, &drugs, intervals).unwrap();
        writer.write("m", [PredictionRow { interval: Some([-1.0, 1.25]), ..rows[0] }, rows[1]]).unwrap();
        writer.finish().unwrap();
        let table = read_table(&path).unwrap();
        assert_eq!(table.names()[6..], ["lower", "upper"]);
        assert_eq!((table.numbers(6, "").unwrap()[0], table.numbers(7, "").unwrap()[0]), (-1.0, 1.25));
        assert!(table.numbers(7, "").unwrap()[1].is_nan());
    }
    // More rows than the buffer holds, of models that end at any row.
    let path = folder.path().join("many.parquet");
    let mut writer = PredictionWriter::create(&path, &cells, &drugs, PredictionColumns::default()).unwrap();
    for (model, count) in [("m", 700_000), ("n", 900_000), ("o", 3)] {
        let many =
            (0..count).map(|at: u32| PredictionRow { cell_line: at % 2, predicted: at as f32, ..rows[0] });
        writer.write(model, many).unwrap();
    }
    writer.finish().unwrap();
    let table = read_table(&path).unwrap();
    let (lines, models) = (table.texts(0).unwrap(), table.texts(3).unwrap());
    let predicted = table.numbers(5, "").unwrap();
    assert_eq!(table.rows(), 1_600_003);
    for (row, model, at) in [
        (0, "m", 0),
        (699_999, "m", 699_999),
        (700_000, "n", 0),
        (1_048_576, "n", 348_576),
        (1_600_002, "o", 2),
    ] {
        assert_eq!(models[row].as_deref(), Some(model), "{row}");
        assert_eq!(lines[row].as_deref(), Some(["A", "B"][at % 2]), "{row}");
        assert_eq!(predicted[row], at as f64, "{row}");
    }
    let mut writer =
        PredictionWriter::create(folder.path().join("p.csv"), &cells, &drugs, PredictionColumns::default())
            .unwrap();
    writer.write("m", [PredictionRow { cell_line: 2, ..rows[0] }]).unwrap();
    says(writer.finish(), &["entity 2 of 2"]);
    for ending in ["parquet", "csv", "ndjson"] {
        let path = folder.path().join(format!("s.{ending}"));
        let mut writer = ScoreWriter::create(&path, "LN_IC50").unwrap();
        for _ in 0..3 {
            let block = ScoreBlock {
                cell_lines: &["A", "B"],
                drugs: &["x", "x"],
                drugs_b: None,
                predicted: &[0.1, 0.2],
                ic50_um: Some(&[1.1, 1.2]),
                single_ic50_um: None,
                percentile: &[None, Some(50.0)],
                interval: None,
                in_domain: Some(&[1.0, 0.5]),
                feature_share: 1.0,
            };
            writer.write_block(&block).unwrap();
        }
        assert!(!path.exists());
        writer.finish().unwrap();
        if ending == "ndjson" {
            let text = fs::read_to_string(&path).unwrap();
            let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
            assert_eq!((&first["predicted"], &first["percentile"]), (&json!(0.1), &json!(null)));
            assert_eq!(text.lines().count(), 6);
        } else {
            assert_eq!(read_table(&path).unwrap().rows(), 6);
        }
    }
    says(ScoreWriter::create("x.xlsx", "AUC").map(|_| ()), &["x.xlsx", ".parquet"]);
}

#[test]
fn a_model_with_infinite_numbers_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.halfmax");
    let with = |tensor: Tensor| {
        let parts = StoredModel { description: json!({}), tensors: [("offsets".to_owned(), tensor)].into() };
        write_model(&path, "boost", &parts, json!({})).unwrap();
        read_model(&path)
    };
    assert!(with(Tensor::F32(vec![0.5, f32::NAN])).is_ok());
    for wrong in [Tensor::F32(vec![0.5, f32::INFINITY]), Tensor::F64(vec![f64::NEG_INFINITY, 1.0])] {
        says(with(wrong).map(|_| ()), &["model.halfmax", "\"offsets\"", "infinite number"]);
    }
}
