//! Options of commands that draw pictures.

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::dose::PictureOutputs;
use halfmax_core::{Error, Result};

use crate::Global;

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

    /// Where pictures go.
    pub fn outputs(&self) -> PictureOutputs {
        PictureOutputs { html: self.html.clone(), svg: self.svg.clone() }
    }
}
