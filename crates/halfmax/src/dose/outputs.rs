//! Output paths: locks of files, and pictures.

use std::path::{Path, PathBuf};

use halfmax_core::{Progress, Result};
use halfmax_data::{OutputLock, OutputSet, counted, refuse_existing, refuse_occupied};

use crate::report::SvgFolder;

/// The output paths of pictures; `None` for pictures that were not requested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PictureOutputs {
    /// A page with pictures, one HTML file that needs no network.
    pub html: Option<PathBuf>,
    /// A folder for one SVG file per picture.
    pub svg: Option<PathBuf>,
}

impl PictureOutputs {
    /// The folder of SVG files. It appears together with the other files.
    pub(crate) fn folder(&self, files: &OutputSet) -> Result<Option<SvgFolder>> {
        self.svg.as_deref().map(|folder| SvgFolder::of(files, folder)).transpose()
    }

    /// Notes the written files.
    pub(crate) fn note(&self, pictures: usize, progress: &dyn Progress) {
        if let Some(folder) = &self.svg {
            progress.note(&format!("wrote {} to {}", counted(pictures, "SVG file"), folder.display()));
        }
        if let Some(html) = &self.html {
            progress.note(&format!("wrote {}", html.display()));
        }
    }

    /// Locks these places and the files against other processes.
    ///
    /// # Errors
    /// If a file exists, the folder is not empty, or another process is writing one of the outputs.
    pub(crate) fn lock<'a>(&'a self, files: impl IntoIterator<Item = &'a Path>) -> Result<Vec<OutputLock>> {
        let mut locks = Vec::new();
        for file in files.into_iter().chain(self.html.as_deref()) {
            locks.push(OutputLock::take(file)?);
            refuse_existing(file)?;
        }
        if let Some(folder) = &self.svg {
            locks.push(OutputLock::take(folder)?);
            refuse_occupied(folder, folder)?;
        }
        Ok(locks)
    }
}
