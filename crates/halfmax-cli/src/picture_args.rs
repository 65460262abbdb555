//! Options of commands that draw pictures.

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::dose::PictureOutputs;
use halfmax_core::{Error, Result};

use crate::Global;

/// The outputs for pictures.
#[derive(Args)]
pub struct PictureArgs {
    /// Also write a page with pictures: one HTML file of at most 10 MB that needs no network. If there are too many pictures, the page
    /// shows the first pictures, in an order that the page states, and a random sample.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Also write one SVG file for each picture into this folder, which must be empty or not exist yet.
    #[arg(long, value_name = "DIR")]
    pub svg: Option<PathBuf>,
}

/// A path as text for JSON, even if the path is not UTF-8.
pub fn shown(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

impl PictureArgs {
    /// Refuses outputs that may not be written, before any work starts.
    pub fn check(&self, global: &Global) -> Result<()> {
        if let Some(html) = self.html.as_ref().filter(|html| html.as_os_str() == "-") {
            return Err(Error::parameter(
                "--html",
                html.display(),
                "a file: halfmax does not write pages to standard output",
            ));
        }
        self.svg.as_ref().map_or(Ok(()), |folder| global.may_fill(folder))
    }

    /// The outputs for pictures.
    pub fn outputs(&self) -> PictureOutputs {
        PictureOutputs { html: self.html.clone(), svg: self.svg.clone() }
    }
}
