//! The recipes that come with the program: the configurations in models/ and the folds that they name.

use std::fs;
use std::path::Path;

use halfmax_core::{Error, Result};
use halfmax_data::write_atomically;
use halfmax_recipes::{FOLDS, RECIPES};

use crate::terminal::Terminal;

/// Writes a recipe that comes with the program, and its folds, if the path is `models/NAME.toml` and the file does not exist. Other
/// paths and existing recipes stay as they are.
///
/// # Errors
/// If a file cannot be written, or an existing file of folds differs from the recipe's.
pub fn bring(path: &Path, terminal: Terminal) -> Result<()> {
    let named = |(name, _): &&(&str, &[u8])| path.file_name().is_some_and(|own| own == *name);
    let (Some(folder), Some((name, text))) = (path.parent(), RECIPES.iter().find(named)) else {
        return Ok(());
    };
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.ends_with("models") || !above.is_dir() || path.exists() {
        return Ok(());
    }
    let has_folds = text.windows(b"splits/".len()).any(|part| part == b"splits/");
    let folds = if has_folds { FOLDS } else { &[] };
    for (file, bytes) in [(*name, *text)].iter().chain(folds) {
        write_missing(&folder.join(file), bytes)?;
    }
    let with = if has_folds { ", and its folds in splits/" } else { "" };
    terminal.note(&format!("wrote {}, a recipe of halfmax{with}", path.display()));
    Ok(())
}

/// Writes a file that does not exist yet. An existing file must have the same content.
fn write_missing(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.exists() {
        let same = fs::read(path).is_ok_and(|there| there == bytes);
        return if same { Ok(()) } else { Err(another(path)) };
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| {
            Error::failed(format!("{}: the folder cannot be created", folder.display())).with_source(error)
        })?;
    }
    write_atomically(path, |file| file.write_all(bytes))
}

fn another(path: &Path) -> Error {
    Error::config(format!("{}: exists, but differs from the file that the recipe needs", path.display()))
        .with_help("move the file away, or run the command in another folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipe_of_models_comes_with_the_program() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
        let names = |folder: &Path, ending: &str| {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
            names.retain(|name| ending.is_empty() || name.ends_with(ending));
            names.sort();
            names
        };
        let mut recipes = names(&models, ".toml");
        recipes.retain(|name| !["Cargo.toml", "demo-combinations.toml"].contains(&name.as_str()));
        assert_eq!(recipes, RECIPES.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        let folds: Vec<String> =
            names(&models.join("splits"), "").into_iter().map(|name| format!("splits/{name}")).collect();
        assert_eq!(folds, FOLDS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    }

    #[test]
    fn only_missing_recipes_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let models = folder.path().join("models");
        let bring = |path: &Path| bring(path, Terminal::new(false, true));
        bring(&folder.path().join("gdsc2-kernel.toml")).unwrap();
        bring(&models.join("mine.toml")).unwrap();
        bring(&folder.path().join("nowhere/models/gdsc2-kernel.toml")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::create_dir(&models).unwrap();
        fs::write(models.join("neural-small.toml"), "mine").unwrap();
        bring(&models.join("neural-small.toml")).unwrap();
        assert_eq!(fs::read(models.join("neural-small.toml")).unwrap(), b"mine");
        bring(&models.join("gdsc2-kernel.toml")).unwrap();
        assert_eq!(fs::read_dir(models.join("splits")).unwrap().count(), FOLDS.len());
        fs::write(models.join("splits/gdsc2_lco.csv"), "cell_line,fold\n").unwrap();
        let error = bring(&models.join("gdsc2-explain.toml"));
        assert!(error.is_ok(), "the recipe names no folds");
        let error = bring(&models.join("gdsc2-leaderboard.toml")).unwrap_err();
        assert!(error.to_string().contains("gdsc2_lco.csv: exists"), "{error}");
    }
}
