//! Options of commands that draw pictures.

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax_core::{Error, Result};
use halfmax_data::{OutputSet, counted};

use crate::Global;
use crate::terminal::Terminal;
use halfmax::report::SvgFolder;

/// Where pictures are written.
#[derive(Args)]
pub struct PictureArgs {
    /// Also write a page with pictures, one HTML file that needs no network, of at most 10 MB: of many, it shows the first of an order that it states
    /// and a random sample.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also write one SVG file for each picture into a folder, which must not exist or be empty.
    #[arg(long, value_name = "DIR")]
    pub svg: Option<PathBuf>,
}

/// A path as JSON has it, also one that is not UTF-8.
pub fn shown(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

impl PictureArgs {
    /// Refuses places that may not be written, before any work is done.
    pub fn check(&self, global: &Global) -> Result<()> {
        if let Some(html) = self.html.as_ref().filter(|html| html.as_os_str() == "-") {
            return Err(Error::parameter(
                "--html",
                html.display(),
                "a file: a page is not written to standard output",
            ));
        }
        self.svg.as_ref().map_or(Ok(()), |folder| global.may_fill(folder))
    }

    /// The folder of SVG files, which gets its name with the other files.
    pub fn folder(&self, files: &OutputSet) -> Result<Option<SvgFolder>> {
        self.svg.as_deref().map(|folder| SvgFolder::of(files, folder)).transpose()
    }

    /// Says what was written.
    pub fn tell(&self, pictures: usize, terminal: Terminal) {
        if let Some(folder) = &self.svg {
            terminal.note(&format!("wrote {} to {}", counted(pictures, "SVG file"), folder.display()));
        }
        if let Some(html) = &self.html {
            terminal.note(&format!("wrote {}", html.display()));
        }
    }
}
