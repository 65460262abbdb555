use std::path::{Path, PathBuf};

use clap::Args;
use halfmax_core::{Error, FeatureSpace, Mechanisms, Result, Seed};
use halfmax_data::{OutputColumn, TableWriter};
use halfmax_explain::{Explanation, FeatureSet, Member, Question, Settings, false_discovery_rates};

use crate::Global;
use crate::config::Config;
use crate::run::Prepared;
use crate::terminal::Terminal;
use crate::trained::Trained;

/// Explain a model.
#[derive(Args)]
pub struct ExplainArgs {
    /// The model, in the folder of its run.
    model: PathBuf,
    /// The report to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// A catalogue of mechanisms in place of the one that comes with halfmax.
    #[arg(long, value_name = "FILE")]
    mechanisms: Option<PathBuf>,
    /// Random sets and permutations that mechanisms are compared with.
    #[arg(long, default_value_t = 2000)]
    permutations: usize,
}

pub fn explain(args: &ExplainArgs, global: &Global, terminal: Terminal) -> Result<()> {
    let Trained { fitted, .. } = Trained::read(&args.model)?;
    let run = args.model.parent().unwrap_or(Path::new(""));
    let config = Config::read(&run.join("config.toml"), &global.overrides)?;
    let prepared = Prepared::new(&Config { split: None, ..config.clone() }, terminal)?;
    let catalogue = match &args.mechanisms {
        None => Mechanisms::named("builtin")?,
        Some(path) => Mechanisms::named(&path.to_string_lossy())?,
    };
    let question = Question::new(&*fitted, &prepared.loaded.screen);
    let space = question.attributor()?.space().clone();
    let sets = sets_of(&catalogue, &space);
    let settings =
        Settings { permutations: args.permutations, seed: Seed::new(global.seed.unwrap_or(config.seed)) };
    let progress = terminal.progress("explaining");
    let expected = |_: usize, set: usize, member: usize| sets[set].members[member].orientation;
    let start = std::time::Instant::now();
    let explanation = question.explain(&sets, &expected, settings, &progress)?;
    drop(progress);
    terminal.note(&format!("{} in {:.1} s", explanation.method, start.elapsed().as_secs_f64()));
    let names: Vec<String> = question.partners.iter().map(|partner| question.name_of(partner)).collect();
    write_importance(&run.join("importance.parquet"), "model", &names, &explanation)?;
    write_mechanisms(&run.join("mechanisms.parquet"), "model", &names, &catalogue, &sets, &explanation)
}

fn sets_of(catalogue: &Mechanisms, space: &FeatureSpace) -> Vec<FeatureSet> {
    let of = |mechanism: &halfmax_core::Mechanism| {
        let mut members = Vec::new();
        for (feature, one) in space.features.iter().enumerate() {
            let gene = one.gene();
            let has = |list: &[String]| list.iter().any(|own| own == gene);
            let expression = one.kind == "expression";
            let orientation = if has(&mechanism.up) {
                1.0
            } else if has(&mechanism.down) {
                if expression { -1.0 } else { 1.0 }
            } else if has(&mechanism.altered) {
                1.0
            } else {
                continue;
            };
            members.push(Member { feature: feature as u32, gene: gene.to_owned(), orientation });
        }
        FeatureSet { members }
    };
    catalogue.list.iter().map(of).collect()
}

fn direction(effect: f64) -> &'static str {
    if effect > 0.0 {
        "resistant"
    } else if effect < 0.0 {
        "sensitive"
    } else {
        ""
    }
}

fn write_importance(path: &Path, model: &str, names: &[String], explanation: &Explanation) -> Result<()> {
    let mut table = TableWriter::create(path)?;
    for (name, partner) in names.iter().zip(&explanation.partners) {
        let importance = &partner.importance;
        let order = |key: &dyn Fn(usize) -> f64| {
            let mut order: Vec<usize> = (0..importance.len()).collect();
            order.sort_by(|a, b| key(*b).total_cmp(&key(*a)).then(a.cmp(b)));
            let mut rank = vec![0u32; importance.len()];
            order.iter().enumerate().for_each(|(at, feature)| rank[*feature] = at as u32 + 1);
            (order, rank)
        };
        let (order, rank) = order(&|at| importance[at].mean_abs);
        let (_, adjusted_rank) = {
            let mut order: Vec<usize> = (0..importance.len()).collect();
            order.sort_by(|a, b| {
                importance[*b].adjusted_mean_abs.total_cmp(&importance[*a].adjusted_mean_abs)
            });
            let mut rank = vec![0u32; importance.len()];
            order.iter().enumerate().for_each(|(at, feature)| rank[*feature] = at as u32 + 1);
            (order, rank)
        };
        let kept: Vec<usize> = order.into_iter().filter(|at| importance[*at].mean_abs > 0.0).collect();
        let features = &explanation.space.features;
        let text = |of: &dyn Fn(usize) -> String| kept.iter().map(|at| of(*at)).collect::<Vec<String>>();
        let kinds = text(&|at| features[at].kind.clone());
        let own = text(&|at| features[at].name.clone());
        let directions = text(&|at| direction(importance[at].effect).to_owned());
        let adjusted_directions = text(&|at| direction(importance[at].adjusted_effect).to_owned());
        let borrowed = |list: &'_ [String]| -> Vec<String> { list.to_vec() };
        let _ = borrowed;
        let strs = |list: &Vec<String>| -> Vec<*const str> {
            list.iter().map(|s| s.as_str() as *const str).collect()
        };
        let _ = strs;
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        let directions: Vec<&str> = directions.iter().map(String::as_str).collect();
        let adjusted_directions: Vec<&str> = adjusted_directions.iter().map(String::as_str).collect();
        let models = vec![model; kept.len()];
        let drugs = vec![name.as_str(); kept.len()];
        let mean_abs: Vec<f64> = kept.iter().map(|at| importance[*at].mean_abs).collect();
        let adjusted: Vec<f64> = kept.iter().map(|at| importance[*at].adjusted_mean_abs).collect();
        let ranks: Vec<u32> = kept.iter().map(|at| rank[*at]).collect();
        let adjusted_ranks: Vec<u32> = kept.iter().map(|at| adjusted_rank[*at]).collect();
        if kept.is_empty() {
            continue;
        }
        table.write(&[
            ("model", OutputColumn::Text(&models)),
            ("drug", OutputColumn::Text(&drugs)),
            ("feature_kind", OutputColumn::Text(&kinds)),
            ("feature", OutputColumn::Text(&own)),
            ("mean_abs", OutputColumn::F64(&mean_abs)),
            ("direction", OutputColumn::Text(&directions)),
            ("rank", OutputColumn::U32(&ranks)),
            ("adjusted_mean_abs", OutputColumn::F64(&adjusted)),
            ("adjusted_direction", OutputColumn::Text(&adjusted_directions)),
            ("adjusted_rank", OutputColumn::U32(&adjusted_ranks)),
        ])?;
    }
    table.finish().map(|_| ())
}

fn write_mechanisms(
    path: &Path,
    model: &str,
    names: &[String],
    catalogue: &Mechanisms,
    sets: &[FeatureSet],
    explanation: &Explanation,
) -> Result<()> {
    let all: Vec<(usize, usize)> =
        (0..names.len()).flat_map(|drug| (0..sets.len()).map(move |set| (drug, set))).collect();
    let evidence = |(drug, set): &(usize, usize)| &explanation.partners[*drug].mechanisms[*set];
    let column = |of: &dyn Fn(&(usize, usize)) -> f64| all.iter().map(of).collect::<Vec<f64>>();
    let p = |of: &dyn Fn(&(usize, usize)) -> Option<f64>| all.iter().map(of).collect::<Vec<Option<f64>>>();
    let numbers = |list: &[Option<f64>]| list.iter().map(|v| v.unwrap_or(f64::NAN)).collect::<Vec<f64>>();
    let raw = p(&|at| evidence(at).all.p);
    let adjusted = p(&|at| evidence(at).adjusted.p);
    let own = p(&|at| evidence(at).self_contained);
    let drugs: Vec<&str> = all.iter().map(|(drug, _)| names[*drug].as_str()).collect();
    let ids: Vec<&str> = all.iter().map(|(_, set)| catalogue.list[*set].id.as_str()).collect();
    let directions: Vec<&str> = all.iter().map(|at| direction(evidence(at).adjusted.effect)).collect();
    let genes: Vec<String> = all
        .iter()
        .map(|at| {
            let found = &evidence(at).adjusted;
            let mut order: Vec<usize> = (0..found.effects.len()).collect();
            order.sort_by(|a, b| found.effects[*b].abs().total_cmp(&found.effects[*a].abs()));
            let name = |member: &usize| sets[at.1].members[*member].gene.clone();
            order.iter().take(5).map(name).collect::<Vec<_>>().join(" ")
        })
        .collect();
    let genes: Vec<&str> = genes.iter().map(String::as_str).collect();
    let mut table = TableWriter::create(path)?;
    table.write(&[
        ("model", OutputColumn::Text(&vec![model; all.len()])),
        ("drug", OutputColumn::Text(&drugs)),
        ("mechanism", OutputColumn::Text(&ids)),
        ("attribution", OutputColumn::F64(&column(&|at| evidence(at).all.attribution))),
        ("direction", OutputColumn::Text(&directions)),
        ("p", OutputColumn::F64(&numbers(&raw))),
        ("q", OutputColumn::F64(&numbers(&false_discovery_rates(&raw)))),
        ("genes", OutputColumn::Text(&genes)),
        ("adjusted_attribution", OutputColumn::F64(&column(&|at| evidence(at).adjusted.attribution))),
        ("adjusted_p", OutputColumn::F64(&numbers(&adjusted))),
        ("adjusted_q", OutputColumn::F64(&numbers(&false_discovery_rates(&adjusted)))),
        ("effect", OutputColumn::F64(&column(&|at| evidence(at).all.effect))),
        ("adjusted_effect", OutputColumn::F64(&column(&|at| evidence(at).adjusted.effect))),
        ("self_p", OutputColumn::F64(&numbers(&own))),
        ("self_q", OutputColumn::F64(&numbers(&false_discovery_rates(&own)))),
    ])?;
    table.finish().map(|_| ())
}
