//! The meaning of the response column: by its name, its values, neighbouring columns, and `[target]`.

mod doubts;
mod evidence;
mod name;

use std::sync::Arc;

pub(crate) use name::{names_logarithm, read as read_name};

use halfmax_core::{End, Error, LinearColumn, Quantity, Result, Scale, Target, Unit, listed};

pub(crate) use self::doubts::doubts;
use self::doubts::{Values, against_convention, against_name, looks_linear};
use self::evidence::Evidence;
use self::name::{Direction, Logarithm, Named};
use crate::columns;
use crate::config::{TargetConfig, Transform};
use crate::table::{Labels, RawTable};

/// A column of responses in its table.
pub(crate) struct ResponseColumn<'a> {
    pub table: &'a RawTable,
    pub column: usize,
    /// The column of drugs; two columns for combinations.
    pub drugs: &'a [Arc<Labels>],
}

/// The meaning of a response column.
pub(crate) struct Meaning {
    pub target: Target,
    /// The responses: the values, or their logarithms.
    pub values: Vec<f64>,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// The target of a column judged only by its name and values, as for a model that stores only its target's name.
///
/// ```
/// use halfmax_core::End;
/// use halfmax_data::target_named;
/// assert_eq!(target_named("pIC50", &[5.1, 7.9], false).sensitive, Some(End::High));
/// assert_eq!(target_named("LN_IC50", &[-2.0, 3.0], false).ic50_um(0.0), Some(1.0));
/// ```
pub fn target_named(name: &str, values: &[f64], combinations: bool) -> Target {
    let sides = if combinations { Sides::Combinations } else { Sides::SingleDrugs };
    let values = Values::of(values);
    let named = named(name, sides);
    let target = described(&named, &values, sides, &TargetConfig::default());
    finished(Target { name: name.to_owned(), ..target }, &values)
}

/// The treatment of the responses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sides {
    SingleDrugs,
    Combinations,
}

/// Finds the meaning of a response column, and takes the logarithm if `[target]` requests it.
///
/// # Errors
/// If `[target]` requests the logarithm of a logarithm, or of a value that is not above 0. The error names the row.
pub(crate) fn meaning(of: &ResponseColumn, values: Vec<f64>, config: &TargetConfig) -> Result<Meaning> {
    let sides = if of.drugs.len() == 2 { Sides::Combinations } else { Sides::SingleDrugs };
    let name = of.table.names()[of.column].clone();
    let named = named(&name, sides);
    let seen = Values::of(&values);
    let mut target = described(&named, &seen, sides, config);
    target.name.clone_from(&name);
    let mut warnings = against_name(&name, &target, &seen);
    warnings.extend(against_config(&name, &named, config));
    let mut notes = Vec::new();
    if sides == Sides::SingleDrugs {
        let found = evidence::beside(of.table, of.column, &values, &of.drugs[0])?;
        settle(&mut target, named.direction, config, found, (&mut notes, &mut warnings));
    }
    if let Some(end) = config.sensitive {
        if target.sensitive == Some(end.opposite()) && named.direction == Direction::Said {
            warnings.push(format!(
                "target.sensitive = {:?} is used, although the name {name} means that {} is sensitive",
                end.name(),
                end.opposite().name()
            ));
        }
        target.sensitive = Some(end);
    }
    let (target, values) = match config.transform {
        Some(Transform::Ln) => logarithm(of, Scale::Ln, target, values)?,
        Some(Transform::Log10) => logarithm(of, Scale::Log10, target, values)?,
        Some(Transform::None) => (finished(target, &seen), values),
        None => {
            warnings.extend(looks_linear(&name, &target, &seen));
            (finished(target, &seen), values)
        }
    };
    notes.insert(0, taken(of, &target, config)?);
    notes.extend(open_questions(&target));
    Ok(Meaning { target, values, notes, warnings })
}

/// The information in a name, for responses to single drugs or to combinations.
fn named(name: &str, sides: Sides) -> Named {
    let named = name::read(name);
    // "CI" beside single drugs is a confidence interval.
    let interval = columns::plain(name) == "ci" && sides == Sides::SingleDrugs;
    if interval { Named { accompanies: true, ..Named::default() } } else { named }
}

/// The target by name and values; `[target]` overrides them.
fn described(named: &Named, values: &Values, sides: Sides, config: &TargetConfig) -> Target {
    let quantity = config.quantity.unwrap_or(named.quantity);
    let scale = config.scale.or_else(|| scale(named, quantity, values));
    let negated = config.scale.map_or(named.negated, |scale| scale == Scale::NegLog10);
    let own = match sides {
        Sides::SingleDrugs => quantity.sensitive(),
        Sides::Combinations => quantity.sensitive().or(Some(End::High)),
    };
    Target {
        quantity: if named.standardised { Quantity::ZScore } else { quantity },
        scale,
        unit: config.unit.or(named.unit),
        sensitive: if negated { own.map(End::opposite) } else { own },
        ..Target::default()
    }
}

/// The scale of a concentration; irrelevant for other quantities.
fn scale(named: &Named, quantity: Quantity, values: &Values) -> Option<Scale> {
    if !quantity.is_concentration() || named.standardised {
        return None;
    }
    match (named.logarithm, named.negated) {
        // A concentration cannot be negative.
        (Logarithm::None, false) => (values.low >= 0.0).then_some(Scale::Linear),
        (Logarithm::Natural, false) => Some(Scale::Ln),
        (Logarithm::Decimal, false) => Some(Scale::Log10),
        (Logarithm::Binary, false) => Some(Scale::Log2),
        (Logarithm::Decimal, true) => Some(Scale::NegLog10),
        (Logarithm::Unsaid, _) | (_, true) => None,
    }
}

/// The target with the conventional unit of its scale, if the values support it.
fn finished(target: Target, values: &Values) -> Target {
    let conventional = match target.scale {
        _ if !target.quantity.is_concentration() => None,
        // The convention of GDSC, which the field follows.
        Some(Scale::Ln) if !against_convention(&target, values) => Some(Unit::Micromolar),
        Some(Scale::NegLog10) if (2.5..14.0).contains(&values.median) => Some(Unit::Molar),
        Some(Scale::Log10) if (-14.0..-3.5).contains(&values.median) => Some(Unit::Molar),
        _ => None,
    };
    Target { unit: target.unit.or(conventional), ..target }
}

/// Contradictions between `[target]` and the name.
fn against_config(name: &str, named: &Named, config: &TargetConfig) -> Vec<String> {
    let mut found = Vec::new();
    if let (Some(own), Some(unit)) = (named.unit, config.unit)
        && own != unit
    {
        found.push(format!("target.unit is used ({unit}), although the name {name} means {own}"));
    }
    let own = scale(named, named.quantity, &Values { low: 0.0, ..Values::default() });
    if let (Some(own), Some(scale)) = (own, config.scale)
        && own != scale
        && own != Scale::Linear
    {
        found.push(format!("target.scale is used, although the name {name} means another scale"));
    }
    found
}

/// Decides the direction by neighbouring columns, if the name does not state it.
fn settle(
    target: &mut Target,
    direction: Direction,
    config: &TargetConfig,
    found: Option<Evidence>,
    (notes, warnings): (&mut Vec<String>, &mut Vec<String>),
) {
    if config.sensitive.is_some() || config.quantity.is_some() {
        return;
    }
    let name = target.name.clone();
    match (direction, found) {
        (Direction::Said, Some(found)) if target.sensitive == Some(found.sensitive.opposite()) => {
            if target.quantity.is_concentration() || target.quantity == Quantity::Aac {
                warnings.push(format!(
                    "{name} has the wrong direction compared with column {} (rank correlation {:.2} within drugs): check which of them \
                     is what its name says",
                    found.column, found.correlation
                ));
            }
        }
        (Direction::Said, _) => {}
        (_, Some(found)) => {
            if target.quantity == Quantity::Auc && found.sensitive == End::High {
                target.quantity = Quantity::Aac;
            }
            target.sensitive = Some(found.sensitive);
            notes.push(format!(
                "{} of {name} is assumed to be the sensitive end: its rank correlation with {} is {:.2} within drugs",
                found.sensitive.name(),
                found.column,
                found.correlation
            ));
        }
        (Direction::Conventional, None) => notes.push(assumed(target)),
        (Direction::Unsaid, None) => {}
    }
}

/// A note on a direction that only follows from convention.
fn assumed(target: &Target) -> String {
    let what = match target.quantity {
        Quantity::Auc => "the area under the viability curve",
        Quantity::LogFoldChange => "the remaining cells",
        _ => "the z-score of such a measure",
    };
    let end = target.sensitive.unwrap_or(End::Low);
    format!(
        "we assume that {} is {what}, so {} is sensitive; if not, set target.sensitive = {:?}",
        target.name,
        end.name(),
        end.opposite().name()
    )
}

/// The logarithms of a column.
fn logarithm(
    of: &ResponseColumn,
    scale: Scale,
    target: Target,
    values: Vec<f64>,
) -> Result<(Target, Vec<f64>)> {
    let name = &target.name;
    let is_one = match target.scale {
        Some(scale) => scale != Scale::Linear,
        None => target.quantity.is_concentration() && name::read(name).logarithm != Logarithm::None,
    };
    if is_one {
        return Err(Error::config(format!(
            "{}: target.transform is set, but {name} is already a logarithm",
            of.table.label()
        ))
        .with_help("remove target.transform; if the column does hold concentrations, set target.scale = \"linear\" as well"));
    }
    let taken_from = Some(LinearColumn { unit: target.unit });
    let unit = target.unit.map(|_| Unit::Micromolar);
    let target = Target { scale: Some(scale), unit, taken_from, ..target };
    let responses: Vec<f64> = values.iter().map(|value| target.response_of(*value)).collect();
    match (0..values.len()).find(|at| !values[*at].is_nan() && !responses[*at].is_finite()) {
        Some(at) => Err(of
            .table
            .bad_value(
                of.column,
                at,
                values[at],
                "a number above 0, since target.transform takes its logarithm",
            )
            .with_help("correct the value, or leave it empty if it is missing")),
        None => Ok((target, responses)),
    }
}

/// A note on the chosen response column and the alternatives.
fn taken(of: &ResponseColumn, target: &Target, config: &TargetConfig) -> Result<String> {
    let (name, words) = (&target.name, target.words());
    let mut text = match words.starts_with(name.as_str()) {
        true => format!("response: {words}"),
        false => format!("response: {name}, read as {words}"),
    };
    if target.taken_from.is_some() {
        text += "; logarithms of the column's values";
    }
    let others = if config.column.is_some() { Vec::new() } else { other_responses(of)? };
    if !others.is_empty() {
        text += &format!("; other columns that hold responses: {} (target.column)", listed(&others, 8));
    }
    Ok(text)
}

/// The other columns of a table that hold responses.
fn other_responses<'a>(of: &ResponseColumn<'a>) -> Result<Vec<&'a str>> {
    let holds = |(column, name): &(usize, &'a String)| {
        let named = name::read(name);
        *column != of.column
            && named.quantity != Quantity::Unknown
            && !named.accompanies
            && !of.table.is_identifier(*column)
            && !of.table.is_text(*column)
    };
    Ok(of.table.names().iter().enumerate().filter(holds).map(|(_, name)| name.as_str()).collect())
}

/// Unknown properties of the target that matter later.
fn open_questions(target: &Target) -> Vec<String> {
    let mut found = Vec::new();
    let name = &target.name;
    if target.sensitive.is_none() {
        found.push(format!(
            "the sensitive end of {name} is unknown: set target.sensitive = \"low\" or \"high\" to rank drugs and explain \
             predictions"
        ));
    }
    if target.quantity == Quantity::Ic50 && !target.has_ic50_um() {
        let (what, key) = match (target.scale, target.unit) {
            (None, _) => ("the kind of logarithm", "target.scale = \"ln\" or \"log10\""),
            _ => ("its unit", "target.unit = \"uM\", \"nM\" or \"M\""),
        };
        found.push(format!("{name}: {what} is unknown, so scores have no ic50_um; set {key}"));
    }
    found
}

impl TargetConfig {
    /// The configuration that reads the same target from another table.
    pub fn like(target: &Target) -> Self {
        let (scale, unit, transform) = match (target.taken_from, target.scale) {
            (Some(column), Some(Scale::Log10)) => (Some(Scale::Linear), column.unit, Transform::Log10),
            (Some(column), _) => (Some(Scale::Linear), column.unit, Transform::Ln),
            (None, scale) => (scale, target.unit, Transform::None),
        };
        Self {
            column: Some(target.name.clone()),
            quantity: Some(target.quantity).filter(|quantity| *quantity != Quantity::Unknown),
            scale,
            unit,
            transform: Some(transform),
            sensitive: target.sensitive,
            ..Self::default()
        }
    }
}
