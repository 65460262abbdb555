//! The real files, where they are: their checksums are those of the manifests.

use std::path::PathBuf;

use halfmax_data::datasets::manifest;
use halfmax_fetch::content_digest;

#[test]
fn the_contents_are_those_of_the_manifests() {
    let shared = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    for (name, folder) in [("gdsc1", "gdsc"), ("gdsc2", "gdsc"), ("oneil", "oneil")] {
        let folder = shared.join(folder);
        if !folder.is_dir() {
            eprintln!("skipped {name}: {} is not here", folder.display());
            continue;
        }
        let mut wrong = Vec::new();
        for file in manifest(name).unwrap().unwrap().file {
            let Some(expected) = file.content else { continue };
            let found = content_digest(&folder.join(&file.name)).unwrap();
            if found != expected {
                wrong.push(format!("{} {found}, expected {expected}", file.name));
            }
        }
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    }
}
