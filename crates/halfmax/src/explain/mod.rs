//! Explanations of a model's predictions, linked to mechanisms of resistance.

pub(crate) mod params;
mod tables;

use halfmax_core::{
    End, EntityTable, Error, ErrorKind, FeatureSpace, FittedModel, Progress, Result, Seed, listed, nearest,
};
use halfmax_data::{Loaded, harmonise};
use halfmax_eval::Widths;
use halfmax_explain::{
    Explanation, FeatureGroup, FeatureSet, MechanismEvidence, PermutationImportance, Question, Settings,
    expected, false_discovery_rates, permutation_importance,
};
use halfmax_mechanisms::{DrugClass, Mechanism, Mechanisms};

use crate::associate::{AssociateParams, Associations, Finding};
use crate::config::Config;
use crate::report::{Reporting, SampleTables};
use crate::sensitive::{Remedy, sensitive_end};

pub use params::{BUILTIN, ExplainParams};
pub use tables::{direction, ranked, write_tables};

/// A model to explain, with the context of the explanation.
pub struct ExplainRequest<'a> {
    /// The name of the model in the report.
    pub name: &'a str,
    /// The model.
    pub model: &'a dyn FittedModel,
    /// The configuration, with its section `[explain]`.
    pub config: &'a Config,
    /// The training data of the model.
    pub loaded: &'a Loaded,
    /// The widths of its prediction intervals; `None` for a model without intervals.
    pub widths: Option<Widths>,
}

impl ExplainRequest<'_> {
    /// Explains the model and adds the result to a report: features, mechanisms, and pages of cell lines.
    ///
    /// # Errors
    /// If a cell line is unknown, the catalogue cannot be read, or the user stopped it.
    pub fn explain_into(
        self,
        reporting: &mut Reporting,
        progress: &dyn Progress,
    ) -> Result<ModelExplanation> {
        let Self { name, model, config, loaded, widths } = self;
        let params = config.explain.clone().unwrap_or_default();
        let screen = &loaded.screen;
        let cells = positions_of(&params.cell_lines, screen.table(0))?;
        progress.phase("explaining");
        let seed = Seed::new(config.seed);
        let associate = config.associate.clone().unwrap_or_default();
        let explained = ModelExplanation::new((name, model), loaded, (&params, &associate), seed, progress)?;
        if let Some(note) = explained.without_genes(model.space(0)) {
            progress.note(&note);
        }
        reporting.add_explanation(&explained);
        let tables = (0..screen.sides.len()).map(|side| screen.table(side)).collect();
        reporting.add_samples(model, &explained, &SampleTables { tables, cells, widths })?;
        Ok(explained)
    }
}

/// Checks the requests of a section `[explain]` before long computations.
pub fn check_explain(config: &Config, loaded: &Loaded) -> Result<()> {
    let Some(params) = &config.explain else { return Ok(()) };
    params.catalogue()?;
    sensitive_end(&loaded.target, "an explanation", Remedy::Configuration)?;
    positions_of(&params.cell_lines, loaded.screen.table(0)).map(|_| ())
}

/// Continues without an explanation that failed, because the run itself is complete.
pub fn unexplained(error: Error, progress: &dyn Progress) -> Result<()> {
    if error.kind() == ErrorKind::Interrupted {
        return Err(error);
    }
    progress.note(&format!("the model is not explained: {error}"));
    Ok(())
}

/// The positions of the cell lines with a requested page, without repeats.
pub fn positions_of(names: &[String], cells: &EntityTable) -> Result<Vec<u32>> {
    let mut positions = Vec::new();
    for name in names {
        let at = position_of(name, cells)?;
        if !positions.contains(&at) {
            positions.push(at);
        }
    }
    Ok(positions)
}

/// The position of a cell line with a requested page.
fn position_of(name: &str, cells: &EntityTable) -> Result<u32> {
    let wanted = harmonise(name);
    let alike: Vec<usize> = (0..cells.len()).filter(|at| harmonise(&cells.ids()[*at]) == wanted).collect();
    if let (None, [_, _, ..]) = (cells.position(name), alike.as_slice()) {
        let names: Vec<&String> = alike.iter().map(|at| &cells.ids()[*at]).collect();
        return Err(Error::config(format!("cell line {name:?} could be {}", listed(&names, 5)))
            .with_help("use one of these names"));
    }
    let at = cells.position(name).or_else(|| alike.first().copied());
    at.map(|at| at as u32).ok_or_else(|| {
        let help = nearest(name, cells.ids().iter().map(String::as_str))
            .map(|near| format!("did you mean {near:?}?"));
        Error::config(format!("cell line {name:?} is not among the {} cell lines", cells.len())).with_help(
            help.unwrap_or_else(|| {
                "name a cell line of the response table, or of the given features of cell lines (`--cells`)"
                    .into()
            }),
        )
    })
}

/// An explained model.
pub struct ModelExplanation {
    /// The name of the model.
    pub model: String,
    /// The mechanisms.
    pub catalogue: Mechanisms,
    /// The name of each partner (drug or combination).
    pub names: Vec<String>,
    /// For each partner, the positions of its drugs.
    pub partners: Vec<Vec<u32>>,
    /// For each partner, the positions of its classes in the catalogue.
    pub classes: Vec<Vec<usize>>,
    /// The features of each mechanism; empty without an explanation.
    pub sets: Vec<FeatureSet>,
    /// Contributions of features; `None` if the family gives none.
    pub found: Option<Explanation>,
    /// False discovery rates, partner by partner, mechanism by mechanism.
    pub rates: Rates,
    /// 1 if a higher response means resistance, −1 if it means that the drug or the combination works.
    pub upwards: f64,
    /// The associations in the data; `None` if nothing can be tested.
    pub associations: Option<Associations>,
    /// For each drug of the associations, what is known: associations and contributions, the strongest evidence first.
    pub findings: Vec<Vec<Finding>>,
    /// The rise of the error when groups of features are exchanged. Groups are kinds of features, and mechanisms if the family gives no
    /// contributions.
    pub groups: Vec<(String, PermutationImportance)>,
}

/// False discovery rates of all tests of a kind.
#[derive(Default)]
pub struct Rates {
    /// Competitive, adjusted for confounders.
    pub adjusted: Vec<Option<f64>>,
    /// Competitive, not adjusted.
    pub unadjusted: Vec<Option<f64>>,
    /// Self-contained.
    pub self_contained: Vec<Option<f64>>,
}

/// The number of exchanges of features.
const REPETITIONS: usize = 3;
const GROUPS: u64 = 33;

/// The features of each kind.
fn kinds(space: &FeatureSpace) -> Vec<(String, FeatureGroup)> {
    let group = FeatureGroup::new(&space.features);
    let one = |(kind, names): (String, Vec<String>)| (kind.clone(), FeatureGroup(vec![(kind, names)]));
    group.0.into_iter().map(one).collect()
}

/// The features of each mechanism with features.
fn mechanisms(catalogue: &Mechanisms, space: &FeatureSpace) -> Vec<(String, FeatureGroup)> {
    let sets = FeatureSet::from_catalogue(catalogue, space);
    let group = |(mechanism, set): (&Mechanism, &FeatureSet)| {
        let features = set.members.iter().map(|member| &space.features[member.feature as usize]);
        (!set.members.is_empty()).then(|| (mechanism.name.clone(), FeatureGroup::new(features)))
    };
    catalogue.list.iter().zip(&sets).filter_map(group).collect()
}

impl ModelExplanation {
    /// Explains a model that was trained on a screen.
    pub fn new(
        model: (&str, &dyn FittedModel),
        loaded: &Loaded,
        (params, associate): (&ExplainParams, &AssociateParams),
        seed: Seed,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let (name, fitted) = model;
        let screen = &loaded.screen;
        let upwards = match sensitive_end(&loaded.target, "an explanation", Remedy::Configuration)? {
            End::Low => 1.0,
            End::High => -1.0,
        };
        let catalogue = params.catalogue()?;
        let question = Question::new(fitted, screen);
        let classes: Vec<Vec<usize>> = question
            .partners
            .iter()
            .map(|partner| classes_of(&catalogue, screen.table(1), partner))
            .collect();
        let associate = Associations::new(loaded, &catalogue, associate, progress);
        let names = question.partners.iter().map(|partner| question.name_of(partner)).collect();
        let mut found = None;
        let mut sets = Vec::new();
        if let Some(attributor) = question.attributor()? {
            sets = FeatureSet::from_catalogue(&catalogue, attributor.space());
            let lists: Vec<Vec<&DrugClass>> = classes
                .iter()
                .map(|classes| classes.iter().map(|class| &catalogue.classes[*class]).collect())
                .collect();
            // The catalogue describes responses to single drugs.
            let speaks = !screen.is_of_combinations();
            let sign = |partner: usize, set: usize, member: usize| match speaks {
                true => {
                    let resists = expected(&catalogue.list[set], &sets[set].members[member], &lists[partner]);
                    upwards as f32 * resists
                }
                false => 0.0,
            };
            let settings = Settings { permutations: params.permutations, seed };
            found = Some(question.explain(&*attributor, &sets, &sign, settings, progress)?);
        }
        let rates = found.as_ref().map_or_else(Rates::default, Rates::of);
        let (names_of_groups, members): (Vec<String>, Vec<FeatureGroup>) = match &found {
            Some(_) => kinds(fitted.space(0)),
            None => [kinds(fitted.space(0)), mechanisms(&catalogue, fitted.space(0))].concat(),
        }
        .into_iter()
        .unzip();
        let rises = permutation_importance(fitted, screen, &members, REPETITIONS, seed.derive(GROUPS))?;
        let groups = names_of_groups.into_iter().zip(rises).collect();
        let associations =
            associate.map_or_else(|error| untested(error, progress), |found| Ok(Some(found)))?;
        let names: Vec<String> = names;
        let findings = associations
            .as_ref()
            .map(|own| own.findings(found.as_ref().map(|found| (found, names.as_slice()))));
        Ok(Self {
            model: name.to_owned(),
            catalogue,
            names,
            partners: question.partners,
            classes,
            sets,
            found,
            rates,
            upwards,
            findings: findings.unwrap_or_default(),
            associations,
            groups,
        })
    }

    /// The warning if no feature belongs to a gene of the catalogue.
    fn without_genes(&self, space: &FeatureSpace) -> Option<String> {
        let sets = FeatureSet::from_catalogue(&self.catalogue, space);
        if sets.iter().any(|set| !set.members.is_empty()) {
            return None;
        }
        let names: Vec<&str> = space.features.iter().map(|feature| feature.name.as_str()).collect();
        Some(match names.as_slice() {
            [] => "the model has no features of cell lines, so mechanisms cannot be judged".to_owned(),
            names => format!(
                "none of the model's {} features of cell lines names a gene of the catalogue ({}), so mechanisms cannot be \
                 judged; name features by gene symbols, or by Entrez or Ensembl ids",
                names.len(),
                listed(names, 5)
            ),
        })
    }

    /// Whether a mechanism concerns a partner's drugs, by the catalogue.
    pub fn concerns(&self, partner: usize, set: usize) -> bool {
        let classes: Vec<&DrugClass> =
            self.classes[partner].iter().map(|class| &self.catalogue.classes[*class]).collect();
        self.catalogue.list[set].concerns(&classes)
    }

    /// The position of a partner's mechanism in lists of all tests.
    pub fn test(&self, partner: usize, set: usize) -> usize {
        partner * self.sets.len() + set
    }

    /// The contribution of a mechanism to the predictions for a partner.
    pub fn evidence(&self, partner: usize, set: usize) -> Option<&MechanismEvidence> {
        self.found.as_ref()?.partners.get(partner)?.mechanisms.get(set)
    }
}

impl Rates {
    fn of(explanation: &Explanation) -> Self {
        let all = || explanation.partners.iter().flat_map(|partner| &partner.mechanisms);
        let rates = |p: &dyn Fn(&MechanismEvidence) -> Option<f64>| {
            false_discovery_rates(&all().map(p).collect::<Vec<_>>())
        };
        Self {
            adjusted: rates(&|one| one.adjusted.p),
            unadjusted: rates(&|one| one.unadjusted.p),
            self_contained: rates(&|one| one.self_contained),
        }
    }
}

/// Continues without associations that cannot be tested.
fn untested(error: Error, progress: &dyn Progress) -> Result<Option<Associations>> {
    if error.kind() == ErrorKind::Interrupted {
        return Err(error);
    }
    progress.note(&format!("associations are not tested: {error}"));
    Ok(None)
}

/// The classes of the drugs of a partner.
fn classes_of(catalogue: &Mechanisms, drugs: &EntityTable, partner: &[u32]) -> Vec<usize> {
    let label = |group: &str, drug: u32| {
        let group = drugs.group(group)?;
        let code = group.codes.get(drug as usize).copied().flatten()?;
        group.levels.get(usize::from(code)).map(String::as_str)
    };
    let mut found: Vec<usize> = partner
        .iter()
        .flat_map(|drug| {
            let of = |group: &str| label(group, *drug).unwrap_or_default();
            let classes =
                catalogue.classes_of(&drugs.ids()[*drug as usize], of("targets"), of("target_pathway"));
            let place = |class: &DrugClass| catalogue.classes.iter().position(|other| other.id == class.id);
            classes.into_iter().filter_map(place).collect::<Vec<usize>>()
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
