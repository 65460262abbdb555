//! `halfmax score`: scores cell lines and drugs with a trained model.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use halfmax::{ScoreRequest, Scored, Shard};
use halfmax_core::{End, Result};
use halfmax_data::{Orientation, written_endings};
use serde_json::json;

use crate::Global;
use crate::terminal::Terminal;
use crate::values::{EndValue, OrderValue};

/// Score cell lines and drugs, or combinations of two drugs, with a trained model. An interrupted command continues where it stopped
/// if you run the command again.
#[derive(Args)]
pub struct ScoreArgs {
    /// The model file that `halfmax train` wrote.
    model: PathBuf,
    /// Features of the cell lines: one or more files of different kinds.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    cells: Vec<PathBuf>,
    /// The drugs: names, SMILES, targets.
    #[arg(long, value_name = "FILE")]
    drugs: PathBuf,
    /// Pairs to score (columns cell_line and drug). Default: every cell line with every drug.
    #[arg(long, value_name = "FILE", conflicts_with = "top")]
    pairs: Option<PathBuf>,
    /// Combinations to score (columns drug_a and drug_b). A column cell_line names the cell lines; without it, every cell line is scored.
    #[arg(long, value_name = "FILE", conflicts_with = "pairs")]
    combinations: Option<PathBuf>,
    /// Score every combination of two drugs in every cell line.
    #[arg(long, conflicts_with_all = ["pairs", "combinations"])]
    all_combinations: bool,
    /// Single-agent responses of the drugs in the cell lines, for a model of combinations that was trained with single-agent responses.
    #[arg(long, value_name = "FILE")]
    single_agent: Option<PathBuf>,
    /// A model of the IC50 of single drugs, on any scale. Adds its predictions for both drugs of each combination.
    #[arg(long, value_name = "MODEL")]
    monotherapy: Option<PathBuf>,
    /// Measured responses that predictions take into account (columns cell_line, drug and the target's); repeated responses are
    /// averaged. Family "kernel" takes responses of new cell lines if its split held out cell lines, and responses of new drugs if its
    /// split held out drugs; family "completion" takes both.
    #[arg(long, value_name = "FILE")]
    responses: Option<PathBuf>,
    /// Keep only the K best scores of each cell line, best first: the drugs with the highest predicted sensitivity, or the combinations
    /// with the highest scores.
    #[arg(long, value_name = "K")]
    top: Option<usize>,
    /// Which scores are the best for --top. Default: the end of the scale at which cell lines are sensitive (the lowest ln IC50, the highest
    /// pIC50) or combinations are synergistic.
    #[arg(long, value_name = "ORDER", value_enum)]
    best: Option<OrderValue>,
    /// The end of the scale at which cell lines are sensitive. Needed only if the model's target does not imply the end (a z-score).
    #[arg(long, value_name = "END", value_enum)]
    sensitive: Option<EndValue>,
    /// Leave out predictions below this score.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<f32>,
    /// Score only one part of the cell lines, or of the rows of a list that names cell lines: 3/16. All parts together are exactly the
    /// whole.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Score even if the values of features are on another scale than in the training data.
    #[arg(long)]
    any_scale: bool,
    /// The orientation of the files of cell lines: cell_lines_in_rows or cell_lines_in_columns. Default: detected from the files.
    #[arg(long, value_name = "ORIENTATION")]
    orientation: Option<String>,
    /// Save finished work every so many seconds. A stopped command continues from the saved work.
    #[arg(long, value_name = "SECONDS", default_value_t = 20.0, value_parser = seconds)]
    checkpoint_every: f64,
    #[arg(long, value_name = "FILE", help = format!("The file to write: {}; - for standard output", written_endings()))]
    out: PathBuf,
}

/// `halfmax score`.
pub fn score(args: &ScoreArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let request = args.request(global)?;
    request.check()?;
    global.may_write(&args.out, &args.inputs())?;
    let every = Duration::from_secs_f64(args.checkpoint_every);
    let written = request.write_held(&args.model, &args.out, every, &terminal)?;
    if args.out == Path::new("-") {
        return Ok(());
    }
    let summary = json!({
        "scores": written.scores,
        "out": args.out.display().to_string(),
        "feature_share": written.feature_share,
    });
    let text = format!("{} scores written to {}", written.scores, args.out.display());
    terminal.result("scores", &summary, &text)
}

impl ScoreArgs {
    /// The files that are read.
    fn inputs(&self) -> Vec<&Path> {
        let one = [&self.pairs, &self.combinations, &self.monotherapy, &self.single_agent, &self.responses];
        let cells = self.cells.iter().map(PathBuf::as_path);
        cells
            .chain(one.into_iter().flat_map(|file| file.as_deref()))
            .chain([self.model.as_path(), self.drugs.as_path()])
            .collect()
    }

    fn request(&self, global: &Global) -> Result<ScoreRequest> {
        let table = |path: &Option<PathBuf>| path.as_deref().map(|path| global.table(path)).transpose();
        let scored = match (table(&self.pairs)?, table(&self.combinations)?) {
            (Some(pairs), _) => Scored::Pairs(pairs),
            (None, Some(list)) => Scored::Combinations(list),
            (None, None) if self.all_combinations => Scored::EveryCombination,
            (None, None) => Scored::EveryPair,
        };
        Ok(ScoreRequest {
            cells: self.cells.iter().map(|path| global.table(path)).collect::<Result<_>>()?,
            orientation: self.orientation.as_deref().map(Orientation::named).transpose()?,
            drugs: global.table(&self.drugs)?,
            scored,
            single_agent: table(&self.single_agent)?,
            monotherapy: self.monotherapy.clone(),
            responses: table(&self.responses)?,
            top: self.top,
            best: self.best.map(End::from),
            sensitive: self.sensitive.map(End::from),
            min_score: self.min_score,
            shard: self.shard.unwrap_or_default(),
            any_scale: self.any_scale,
        })
    }
}

/// Parses the value of `--checkpoint-every`.
fn seconds(text: &str) -> std::result::Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "expected seconds from 0 to 86400".to_owned())
}
