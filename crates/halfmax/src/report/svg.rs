//! A folder of SVG files, one per picture.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use halfmax_core::Result;
use halfmax_data::{OutputSet, write_meanwhile};

/// A folder for pictures.
pub struct SvgFolder {
    folder: PathBuf,
    /// The names in use, in lower case: some file systems ignore case.
    used: HashSet<String>,
}

/// The maximum length of a file name, so that every file system accepts it.
const LONGEST: usize = 100;

impl SvgFolder {
    /// A folder that appears together with the other files of a command.
    pub fn of(files: &OutputSet, folder: &Path) -> Result<Self> {
        Ok(Self { folder: files.folder(folder)?, used: HashSet::new() })
    }

    /// A new path for a picture with these names; no path occurs twice.
    pub fn place(&mut self, names: &[&str]) -> PathBuf {
        let wished = file_name(names);
        let numbered = (2_u32..).map(|number| format!("{wished}-{number}"));
        let mut free = std::iter::once(wished.clone()).chain(numbered);
        let name = free.find(|name| self.used.insert(name.to_lowercase())).unwrap_or(wished);
        self.folder.join(format!("{name}.svg"))
    }

    /// Writes a picture.
    pub fn write(path: &Path, svg: &str) -> Result<()> {
        write_meanwhile(path, svg.as_bytes())
    }
}

/// Names joined by two underscores. Hyphens replace characters other than letters, digits and `-_.+`.
fn file_name(names: &[&str]) -> String {
    let safe = |name: &&&str| {
        let plain = |c: char| if c.is_alphanumeric() || "-_.+".contains(c) { c } else { '-' };
        name.trim().chars().map(plain).collect::<String>()
    };
    let parts: Vec<String> =
        names.iter().filter(|name| !name.trim().is_empty()).map(|name| safe(&name)).collect();
    let mut joined = String::new();
    for character in parts.join("__").trim_start_matches(['.', '-']).chars() {
        if joined.len() + character.len_utf8() > LONGEST {
            break;
        }
        joined.push(character);
    }
    let joined = joined.trim_end_matches(['.', '-']);
    // All reserved device names of Windows are shorter.
    if joined.chars().count() < 5 { format!("picture_{joined}") } else { joined.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe() {
        assert_eq!(file_name(&["A375", "5-FU"]), "A375__5-FU");
        assert_eq!(file_name(&["../../etc", "pass wd/x"]), "etc__pass-wd-x");
        assert_eq!(file_name(&["A\\B:C*", "µ<drug>", ""]), "A-B-C-__µ-drug");
        assert_eq!(file_name(&["NUL"]), "picture_NUL");
        assert_eq!(file_name(&[""]), "picture_");
        assert!(file_name(&["é".repeat(300).as_str()]).len() <= LONGEST);
    }

    #[test]
    fn no_name_is_given_twice() {
        let mut folder = SvgFolder { folder: PathBuf::from("x"), used: HashSet::new() };
        let mut names = |a: &str| folder.place(&[a, "drug"]).display().to_string();
        assert_eq!(names("A 1"), "x/A-1__drug.svg");
        assert_eq!(names("a/1"), "x/a-1__drug-2.svg");
        assert_eq!(names("A-1"), "x/A-1__drug-3.svg");
    }
}
