//! `halfmax associate`: tests features of cell lines for associations with responses.

use clap::Args;
use halfmax::PreparedScreen;
use halfmax::associate::associate_into;
use halfmax_core::Result;
use halfmax_data::RunFolder;

use crate::terminal::Terminal;
use crate::{ConfigAndOut, Global};

/// Test every feature of cell lines for an association with the response to every drug, by linear models with covariates.
#[derive(Args)]
pub struct AssociateArgs {
    #[command(flatten)]
    run: ConfigAndOut,
}

/// `halfmax associate`.
pub fn associate(args: &AssociateArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let args = &args.run;
    let mut config = global.read_recipe(&args.config, terminal)?;
    config.seed = global.seed.unwrap_or(config.seed);
    config.split = None;
    let out = args.folder(&config.name, terminal);
    let folder = RunFolder::create(&out)?;
    terminal.removed(folder.removed());
    let prepared = PreparedScreen::load(&config, &terminal)?;
    let summary = associate_into(&config, &prepared.loaded, &folder, &terminal)
        .map_err(|error| error.with_context(args.config.display()))?;
    let path = folder.finish()?;
    terminal.result("associations", &summary, &format!("{summary}\nwritten to {}", path.display()))
}
