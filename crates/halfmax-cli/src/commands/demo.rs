mod simulated;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use halfmax::explain::{ExplainRequest, ModelExplanation, direction, write_tables};
use halfmax::report::Reporting;
use halfmax::{
    Config, Evaluated, Manifest, PreparedScreen, RunState, cross_validate, train_into, write_provenance,
};
use halfmax_core::{Error, Result, Screen, Seed, Silent};
use halfmax_data::{Loaded, RunFolder};
use halfmax_eval::{DrugMetrics, ModelEvaluation};
use halfmax_recipes::{DEMO, DEMO_COMBINATIONS};
use serde::Serialize;

use crate::Global;
use crate::terminal::{Terminal, free_folder};

/// The table that it simulates.
const SIMULATED: &str = "simulated_synergy.csv";
/// Cell lines that everybody knows: a leukaemia with BCR-ABL, a melanoma with BRAF V600E, a breast cancer.
const CELL_LINES: [&str; 3] = ["K562", "A375", "MCF7"];

/// Everything once on the embedded dataset.
#[derive(Args)]
pub struct DemoArgs {
    /// Folder for the run; must not exist. By default the first of halfmax-demo, halfmax-demo-2, … that is free.
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
    let best = best_drugs(model);
    terminal.result("best_drugs", &best, &best.text())?;
    for cell in CELL_LINES {
        if let Some(top) = TopDrugs::of(cell, model, &prepared.loaded) {
            terminal.result("top_drugs", &top, &top.text())?;
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
    let standing = Standing::of(&explained);
    terminal.result("mechanisms", &standing, &standing.text())?;
    combinations(&prepared.loaded.screen, config.seed, &folder, terminal)?;
    write_provenance(&folder, &config, &manifest)?;
    let path = folder.finish()?;
    terminal.note(&format!(
        "\nResearch use only. Everything is in {}; open {} in a browser",
        path.display(),
        path.join("report.html").display()
    ));
    Ok(())
}

/// The mechanisms that stand out for drugs which they concern, the largest part first.
#[derive(Serialize)]
struct Standing {
    mechanisms: Vec<StandingOut>,
}

#[derive(Serialize)]
struct StandingOut {
    drug: String,
    mechanism: String,
    genes: Vec<String>,
    direction: &'static str,
    q: f64,
}

impl Standing {
    fn of(explained: &ModelExplanation) -> Self {
        let mut found: Vec<(f64, StandingOut)> = Vec::new();
        for (partner, drug) in explained.names.iter().enumerate() {
            for set in 0..explained.sets.len() {
                let Some(evidence) = explained.evidence(partner, set) else { continue };
                let q = explained.rates.adjusted[explained.test(partner, set)].unwrap_or(1.0);
                if q < 0.05 && explained.concerns(partner, set) {
                    let genes = explained.leading_genes(partner, set, 3);
                    let one = StandingOut {
                        drug: drug.clone(),
                        mechanism: explained.catalogue.list[set].name.clone(),
                        genes: genes.into_iter().map(str::to_owned).collect(),
                        direction: direction(explained.upwards * evidence.adjusted.effect),
                        q,
                    };
                    found.push((evidence.adjusted.attribution, one));
                }
            }
        }
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.drug.cmp(&b.1.drug)));
        Self { mechanisms: found.into_iter().take(8).map(|(_, one)| one).collect() }
    }

    fn text(&self) -> String {
        let line = |one: &StandingOut| {
            let genes = one.genes.join(", ");
            format!("  {:<24} {} ({genes}): more of it makes {}", one.drug, one.mechanism, one.direction)
        };
        let lines: Vec<String> = self.mechanisms.iter().map(line).collect();
        format!(
            "What the predictions rest on: mechanisms that stand out (q < 0.05)\n\n{}\n",
            lines.join("\n")
        )
    }
}

/// Simulates combinations of the screen's drugs, and learns them.
fn combinations(screen: &Screen, seed: u64, run: &RunFolder, terminal: Terminal) -> Result<()> {
    let folder = RunFolder::create(run.path("simulated-combinations"))?;
    simulated::write(screen, &CELL_LINES, Seed::new(seed), &folder.path(SIMULATED))?;
    folder.write("config.toml", DEMO_COMBINATIONS.as_bytes())?;
    let mut config = Config::read(&folder.path("config.toml"), &[])?;
    config.seed = seed;
    let mut prepared = PreparedScreen::load(&config, &Silent)?;
    // The run's folder does not have its name yet.
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
    let title = "SIMULATED combinations of two drugs that the models saw in neither order and in no cell line: mean excess\n\
                 over Bliss's independence, percentage points (no combination was measured; see DESIGN.md)";
    terminal.result("simulated_combinations", &leaderboard, &format!("\n{title}\n\n{leaderboard}"))?;
    if let Some(model) = evaluation.models.first() {
        for cell in CELL_LINES {
            let top = TopCombinations::of(cell, model, screen);
            terminal.result("simulated_top_combinations", &top, &top.text())?;
        }
    }
    train_into(&config, &prepared, &state, &folder, &Silent)?;
    // In place of the resolved one, whose paths are those of the unfinished folder.
    folder.write("config.toml", DEMO_COMBINATIONS.as_bytes())?;
    folder.finish()?;
    Ok(())
}

/// The combinations that are predicted to be the most synergistic in a cell line, by models that never saw them.
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
        format!(
            "{cell}: SIMULATED combinations that are predicted to be the most synergistic\n\n{}\n",
            lines.join("\n")
        )
    }
}

/// The best-predicted drugs.
#[derive(Serialize)]
struct BestDrugs {
    drugs: Vec<DrugMetrics>,
}

fn best_drugs(model: &ModelEvaluation) -> BestDrugs {
    let mut drugs = model.per_drug.clone();
    drugs.retain(|drug| drug.pearson.is_some() && drug.n >= 100);
    drugs.sort_by(|a, b| b.pearson.unwrap_or(0.0).total_cmp(&a.pearson.unwrap_or(0.0)));
    drugs.truncate(5);
    BestDrugs { drugs }
}

impl BestDrugs {
    fn text(&self) -> String {
        let line = |drug: &DrugMetrics| {
            format!(
                "  {:<24} Pearson {:.2} over {} cell lines",
                drug.drug,
                drug.pearson.unwrap_or(0.0),
                drug.n
            )
        };
        let lines: Vec<String> = self.drugs.iter().map(line).collect();
        format!("Best predicted drugs\n\n{}\n", lines.join("\n"))
    }
}

/// The drugs that a cell line is predicted to be most sensitive to, compared with other cell lines, by the model that
/// never saw it.
#[derive(Serialize)]
struct TopDrugs {
    cell_line: String,
    drugs: Vec<TopDrug>,
}

#[derive(Serialize)]
struct TopDrug {
    drug: String,
    predicted: f32,
    observed: f32,
    /// The IC50s in µM that these stand for, where they do.
    #[serde(skip)]
    ic50_um: [Option<f64>; 2],
    /// Share of cell lines that are predicted more sensitive, in per cent.
    percentile: f64,
    /// The same of the measured responses.
    observed_percentile: f64,
}

impl TopDrugs {
    fn of(cell: &str, model: &ModelEvaluation, loaded: &Loaded) -> Option<Self> {
        let screen = &loaded.screen;
        let at = screen.table(0).position(cell)?;
        let mut by_drug: BTreeMap<u32, Vec<(bool, f32, f32)>> = BTreeMap::new();
        for one in model.predictions.iter() {
            let own = screen.responses.side(0)[one.row] as usize == at;
            let observed = screen.responses.values()[one.row];
            by_drug.entry(screen.responses.side(1)[one.row]).or_default().push((
                own,
                one.predicted,
                observed,
            ));
        }
        let mut drugs: Vec<TopDrug> = by_drug
            .iter()
            .filter_map(|(drug, all)| {
                let (_, predicted, observed) = *all.iter().find(|one| one.0)?;
                let below = |which: &dyn Fn(&(bool, f32, f32)) -> bool| {
                    100.0 * all.iter().filter(|one| which(one)).count() as f64 / all.len() as f64
                };
                Some(TopDrug {
                    drug: screen.table(1).ids()[*drug as usize].clone(),
                    predicted,
                    observed,
                    ic50_um: [predicted, observed].map(|value| loaded.target.ic50_um(f64::from(value))),
                    percentile: below(&|one| one.1 < predicted),
                    observed_percentile: below(&|one| one.2 < observed),
                })
            })
            .collect();
        drugs.sort_by(|a, b| a.percentile.total_cmp(&b.percentile));
        drugs.truncate(5);
        (!drugs.is_empty()).then(|| Self { cell_line: cell.to_owned(), drugs })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: drugs it is predicted to be most sensitive to, by a model that never saw it\n\n",
            self.cell_line
        );
        for drug in &self.drugs {
            let [predicted, observed] = drug.ic50_um.map(|ic50| ic50.unwrap_or(f64::NAN));
            text.push_str(&format!(
                "  {:<24} predicted IC50 {predicted:>9.3} µM (most sensitive {:.0} %), measured {observed:>9.3} µM ({:.0} %)\n",
                drug.drug,
                drug.percentile.max(1.0).ceil(),
                drug.observed_percentile.max(1.0).ceil(),
            ));
        }
        text
    }
}
