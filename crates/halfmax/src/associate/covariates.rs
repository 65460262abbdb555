//! The covariates of a configuration.

use halfmax_association::{Covariates, ResponseMatrix};
use halfmax_core::{EntityTable, Error, FeatureValues, Progress, Result, listed, nearest};

use super::AssociateParams;

/// The grouping of cell lines by tissue.
const TISSUE: &str = "tissue";
/// With at least this many drugs, their mean says how sensitive a cell line is in general.
const MANY_DRUGS: usize = 20;
/// Names of features that are covariates unless the configuration says otherwise, in lower case without punctuation.
const USUAL: [&str; 14] = [
    "msi",
    "msifactor",
    "msistatus",
    "mmr",
    "microsatelliteinstability",
    "screenmedium",
    "growthmedium",
    "culturemedium",
    "medium",
    "media",
    "mediafactor",
    "growthproperties",
    "batch",
    "screeningbatch",
];

/// The covariates: those that the configuration names, or the usual ones.
pub(super) fn of(
    table: &EntityTable,
    responses: &ResponseMatrix,
    params: &AssociateParams,
    progress: &dyn Progress,
) -> Result<Covariates> {
    let names = params.covariates.clone().unwrap_or_else(|| usual(table));
    let mut covariates = Covariates::none();
    for name in &names {
        covariates = add(covariates, name, table, &responses.cells)?;
    }
    let drugs = responses.partners.len();
    if params.general_sensitivity.unwrap_or(drugs >= MANY_DRUGS) {
        if drugs < 3 {
            return Err(Error::config(format!(
                "associate.general_sensitivity: the screen has {drugs} drugs, expected at least 3"
            ))
            .with_help("remove the key: general sensitivity is the mean response to the other drugs"));
        }
        covariates = covariates.with_general_sensitivity(responses.general_sensitivity());
    }
    progress.note(&match covariates.names().as_slice() {
        [] => "covariates: none".to_owned(),
        names => format!("covariates: {}", names.join(", ")),
    });
    Ok(covariates)
}

fn usual(table: &EntityTable) -> Vec<String> {
    let tissue = table.group(TISSUE).is_some().then(|| TISSUE.to_owned());
    let plain = |name: &str| -> String {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let named = table.blocks().iter().flat_map(|block| &block.names);
    tissue.into_iter().chain(named.filter(|name| USUAL.contains(&plain(name).as_str())).cloned()).collect()
}

fn add(covariates: Covariates, name: &str, table: &EntityTable, cells: &[u32]) -> Result<Covariates> {
    if let Some(group) = table.group(name) {
        return Ok(covariates.with_category(name, group, cells));
    }
    for block in table.blocks() {
        let Some(column) = block.names.iter().position(|own| own == name) else { continue };
        return Ok(match &block.values {
            FeatureValues::Category(categories) => covariates.with_category(name, &categories[column], cells),
            FeatureValues::Real(values) => covariates.with_number(
                name,
                cells.iter().map(|cell| f64::from(values[[*cell as usize, column]])).collect(),
            ),
            FeatureValues::Binary(bits) => {
                let value = |cell: &u32| {
                    bits.get(*cell as usize, column).map_or(f64::NAN, |set| f64::from(u8::from(set)))
                };
                covariates.with_number(name, cells.iter().map(value).collect())
            }
        });
    }
    let known: Vec<&str> = [TISSUE]
        .into_iter()
        .filter(|name| table.group(name).is_some())
        .chain(table.blocks().iter().flat_map(|block| block.names.iter().map(String::as_str)))
        .collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("name a feature of the cell lines, such as {}", listed(&known, 5)),
    };
    Err(Error::config(format!("associate.covariates: the cell lines have no feature {name:?}"))
        .with_help(help))
}
