//! `halfmax demo`: the whole workflow on the embedded dataset and on simulated combinations.

use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::explain::{ExplainRequest, write_tables};
use halfmax::highlights::{BestDrugs, StandingMechanisms, TopDrugs};
use halfmax::report::Reporting;
use halfmax::{
    Config, Evaluated, Manifest, PreparedScreen, RunState, cross_validate, train_into, write_provenance,
    write_simulated_combinations,
};
use halfmax_core::{Error, Result, Screen, Seed, Silent};
use halfmax_data::RunFolder;
use halfmax_eval::ModelEvaluation;
use halfmax_recipes::{DEMO, DEMO_COMBINATIONS};
use serde::Serialize;

use crate::Global;
use crate::terminal::{Terminal, free_folder};

/// The file of the simulated combinations.
const SIMULATED: &str = "simulated_synergy.csv";
/// Well-known cell lines: a leukaemia with BCR-ABL, a melanoma with BRAF V600E, and a breast cancer.
const CELL_LINES: [&str; 3] = ["K562", "A375", "MCF7"];

/// Run the whole workflow on the embedded dataset.
#[derive(Args)]
pub struct DemoArgs {
    /// The folder to write, which must not exist yet. Default: the first of halfmax-demo, halfmax-demo-2, … that is free.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// `halfmax demo`.
pub fn demo(args: &DemoArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let mut config = Config::parse(DEMO, &global.overrides)?;
    config.seed = global.seed.unwrap_or(config.seed);
    let folder =
        RunFolder::create(args.out.clone().unwrap_or_else(|| free_folder(Path::new("halfmax-demo"))))?;
    let prepared = PreparedScreen::load(&config, &terminal)?;
    let state = RunState::in_memory(Vec::new());
    let evaluation = cross_validate(&config, &prepared, &state, &terminal)?;
    let evaluated = Evaluated::new(&prepared, evaluation)?;
    evaluated.write(&folder, &config, &prepared.loaded)?;
    let Evaluated { evaluation, ceiling, .. } = &evaluated;
    let leaderboard = evaluation.leaderboard();
    terminal.result(
        "leaderboard",
        &leaderboard,
        &format!("\nUnseen cell lines, ln IC50\n\n{leaderboard}"),
    )?;
    if let Some(ceiling) = ceiling {
        terminal.result("ceiling", ceiling, &ceiling.to_string())?;
    }
    let Some(model) = evaluation.models.first() else { return Err(Error::config("the demo has no model")) };
    let best = BestDrugs::new(model);
    terminal.result("best_drugs", &best, &best.to_string())?;
    for cell in CELL_LINES {
        if let Some(top) = TopDrugs::new(cell, model, &prepared.loaded) {
            terminal.result("top_drugs", &top, &top.to_string())?;
        }
    }
    let trained = train_into(&config, &prepared, &state, &folder, &terminal)?;
    let manifest = Manifest::new("evaluate", &config, &prepared.loaded.inputs);
    let mut reporting = Reporting::new(&config, &manifest, &prepared.loaded)?;
    reporting.add_evaluation(evaluation, ceiling.as_ref());
    let (name, model) = (&*trained.summary.name, &*trained.model.fitted);
    let request = ExplainRequest { name, model, config: &config, loaded: &prepared.loaded, widths: None };
    let explained = request.explain_into(&mut reporting, &terminal)?;
    write_tables(&folder.path(""), std::slice::from_ref(&explained), None)?;
    folder.write("report.html", reporting.html().as_bytes())?;
    let standing = StandingMechanisms::new(&explained);
    terminal.result("mechanisms", &standing, &standing.to_string())?;
    combinations(&prepared.loaded.screen, config.seed, &folder, terminal)?;
    write_provenance(&folder, &config, &manifest)?;
    let path = folder.finish()?;
    terminal.note(&format!(
        "\nResearch use only. All results are in {}; open {} in a browser",
        path.display(),
        path.join("report.html").display()
    ));
    Ok(())
}

/// Simulates combinations of the screen's drugs, and evaluates and trains models of the combinations.
fn combinations(screen: &Screen, seed: u64, run: &RunFolder, terminal: Terminal) -> Result<()> {
    let folder = RunFolder::create(run.path("simulated-combinations"))?;
    write_simulated_combinations(screen, &CELL_LINES, Seed::new(seed), &folder.path(SIMULATED))?;
    folder.write("config.toml", DEMO_COMBINATIONS.as_bytes())?;
    let mut config = Config::read(&folder.path("config.toml"), &[])?;
    config.seed = seed;
    let mut prepared = PreparedScreen::load(&config, &Silent)?;
    // The folder still has a temporary name.
    for input in &mut prepared.loaded.inputs {
        if Path::new(&input.path).ends_with(SIMULATED) {
            input.path = SIMULATED.into();
        }
    }
    let state = RunState::in_memory(Vec::new());
    let evaluation = cross_validate(&config, &prepared, &state, &terminal)?;
    let screen = &prepared.loaded.screen;
    let evaluated = Evaluated::new(&prepared, evaluation)?;
    evaluated.write(&folder, &config, &prepared.loaded)?;
    let evaluation = &evaluated.evaluation;
    let leaderboard = evaluation.leaderboard();
    let title = "SIMULATED combinations of two drugs, unseen in any cell line and in either order: mean excess over Bliss\n\
                 independence, in percentage points (no combination was measured; see DESIGN.md)";
    terminal.result("simulated_combinations", &leaderboard, &format!("\n{title}\n\n{leaderboard}"))?;
    if let Some(model) = evaluation.models.first() {
        for cell in CELL_LINES {
            let top = TopCombinations::of(cell, model, screen);
            terminal.result("simulated_top_combinations", &top, &top.text())?;
        }
    }
    train_into(&config, &prepared, &state, &folder, &Silent)?;
    // Replaces the resolved configuration, whose paths point into the unfinished folder.
    folder.write("config.toml", DEMO_COMBINATIONS.as_bytes())?;
    folder.finish()?;
    Ok(())
}

/// The combinations with the highest predicted synergy in a cell line, from models that never saw the combinations.
#[derive(Serialize)]
struct TopCombinations {
    cell_line: String,
    combinations: Vec<TopCombination>,
}

#[derive(Serialize)]
struct TopCombination {
    drug: String,
    drug_b: String,
    predicted: f32,
    simulated: f32,
}

impl TopCombinations {
    fn of(cell: &str, model: &ModelEvaluation, screen: &Screen) -> Self {
        let responses = &screen.responses;
        let named =
            |side: usize, row: usize| screen.table(side).ids()[responses.side(side)[row] as usize].clone();
        let mut combinations: Vec<TopCombination> = model
            .predictions
            .iter()
            .filter(|one| named(0, one.row) == cell)
            .map(|one| TopCombination {
                drug: named(1, one.row),
                drug_b: named(2, one.row),
                predicted: one.predicted,
                simulated: responses.values()[one.row],
            })
            .collect();
        combinations.sort_by(|a, b| b.predicted.total_cmp(&a.predicted));
        combinations.truncate(3);
        Self { cell_line: cell.to_owned(), combinations }
    }

    fn text(&self) -> String {
        let line = |one: &TopCombination| {
            let pair = format!("{} with {}", one.drug, one.drug_b);
            format!("  {pair:<40} predicted {:>5.1}, simulated {:>5.1}", one.predicted, one.simulated)
        };
        let lines: Vec<String> = self.combinations.iter().map(line).collect();
        let cell = &self.cell_line;
        format!("{cell}: SIMULATED combinations with the highest predicted synergy\n\n{}\n", lines.join("\n"))
    }
}
