//! The fitted model of combinations: prediction and storage.

use std::collections::HashMap;
use std::ops::Range;

use halfmax_core::{
    CombinationScores, EntityTable, Error, FeatureSpace, FittedModel, PreparedCombinations, Query, Result,
    StoredModel, Tensor, malformed,
};
use ndarray::{Array1, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::scores::{CellLine, Members, Panels};
use super::{CellVariances, Component, Part};
use crate::features::{FittedTerm, SideKernel};
use crate::linalg::{Matrix, product};
use crate::model::stored_kernel;
use crate::params::KernelParams;

/// A fitted kernel model of drug combinations.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedCombinations {
    fitted: Fitted,
    /// The coefficients times the covariance of the training cell lines.
    profiles: Matrix,
}

/// The fitted parts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fitted {
    pub params: KernelParams,
    pub target: String,
    pub cell_ids: Vec<String>,
    pub drug_ids: Vec<String>,
    pub cells: SideKernel,
    pub drugs: SideKernel,
    pub components: Vec<Component>,
    /// The variance of a combination's own effect that all cell lines share.
    pub own: f64,
    pub variances: CellVariances,
    /// The mean of every training cell line.
    pub baseline: Array1<f64>,
    /// The drugs of the training combinations, as ascending positions among the training drugs.
    pub combinations: Vec<[usize; 2]>,
    /// Combinations × cell lines.
    pub coefficients: Matrix,
}

impl FittedCombinations {
    pub(crate) fn new(fitted: Fitted) -> Result<Self> {
        let covariance = fitted.variances.of(&fitted.cell_kernel());
        let profiles = product(fitted.coefficients.view(), covariance.view());
        if let Some(((row, cell), value)) = profiles.indexed_iter().find(|(_, value)| !value.is_finite()) {
            let [a, b] = fitted.combinations[row].map(|drug| &fitted.drug_ids[drug]);
            return Err(Error::failed(format!(
                "the solution for {a:?} with {b:?} in {:?} is {value}: expected a finite number",
                fitted.cell_ids[cell]
            ))
            .with_help("look for huge values among the features or responses"));
        }
        Ok(Self { fitted, profiles })
    }

    /// The components of the covariance of combinations. Kernel 0 is the identity of the drug; the next numbers are those
    /// of [`FittedCombinations::drug_terms`].
    pub fn components(&self) -> &[Component] {
        &self.fitted.components
    }

    /// The kernels between drugs.
    pub fn drug_terms(&self) -> &[FittedTerm] {
        &self.fitted.drugs.terms
    }

    /// How cell lines vary together.
    pub fn cell_variances(&self) -> CellVariances {
        self.fitted.variances
    }

    /// The model's view of some cell lines.
    fn cell_lines(&self, table: &EntityTable, cells: &[u32]) -> Result<Vec<CellLine>> {
        let (baseline, profiles) = self.cell_profiles(table, cells)?;
        let columns = baseline.iter().zip(profiles.axis_iter(Axis(1)));
        Ok(columns.map(|(baseline, profile)| CellLine::new(&self.fitted, *baseline, profile)).collect())
    }

    /// The baselines of cell lines, and the coefficients times the cell lines' covariances with the training cell lines.
    fn cell_profiles(&self, table: &EntityTable, cells: &[u32]) -> Result<(Array1<f64>, Matrix)> {
        let Fitted { cell_ids, variances, baseline, coefficients, .. } = &self.fitted;
        let known: HashMap<&str, usize> = cell_ids.iter().map(String::as_str).zip(0..).collect();
        let place = |cell: &u32| known.get(table.ids()[*cell as usize].as_str()).copied();
        let places: Vec<Option<usize>> = cells.iter().map(place).collect();
        let strangers: Vec<u32> =
            cells.iter().zip(&places).filter(|(_, place)| place.is_none()).map(|(cell, _)| *cell).collect();
        let mean = baseline.mean().unwrap_or(0.0);
        let mut out = Matrix::zeros((coefficients.nrows(), cells.len()));
        let mut of_strangers = if strangers.is_empty() {
            Matrix::zeros((coefficients.nrows(), 0))
        } else {
            let mut between = Matrix::from_elem((strangers.len(), cell_ids.len()), variances.common);
            if variances.features > 0.0 {
                between.scaled_add(variances.features, &self.fitted.cells.between(table, &strangers)?);
            }
            product(coefficients.view(), between.t())
        }
        .axis_iter(Axis(1))
        .map(|column| column.to_owned())
        .collect::<Vec<_>>()
        .into_iter();
        for (mut out, place) in out.axis_iter_mut(Axis(1)).zip(&places) {
            match place {
                Some(place) => out.assign(&self.profiles.column(*place)),
                None => out.assign(&of_strangers.next().unwrap_or_default()),
            }
        }
        let base = places.iter().map(|place| place.map_or(mean, |place| baseline[place])).collect();
        Ok((base, out))
    }
}

impl Fitted {
    fn cell_kernel(&self) -> Matrix {
        if self.variances.features > 0.0 {
            return self.cells.training();
        }
        Matrix::zeros((self.cell_ids.len(), self.cell_ids.len()))
    }
}

/// A drug of a query: the side whose table holds it, and its position there.
type Member = (usize, u32);

/// Drugs of a query, given in ascending order.
fn members(fitted: &Fitted, tables: &[&EntityTable], drugs: &[Member]) -> Result<Members> {
    let training: HashMap<&str, usize> = fitted.drug_ids.iter().map(String::as_str).zip(0..).collect();
    let id = |(side, drug): &Member| tables[*side].ids()[*drug as usize].as_str();
    let known: Vec<Option<usize>> = drugs.iter().map(|member| training.get(id(member)).copied()).collect();
    let same = || known.iter().enumerate().filter_map(|(at, known)| Some([at, (*known)?]));
    let mut identity = Matrix::zeros((drugs.len(), fitted.drug_ids.len()));
    same().for_each(|at| identity[at] = 1.0);
    let mut kernels = vec![identity];
    let of_side = |side: usize| -> Vec<u32> {
        drugs.iter().filter(|(own, _)| *own == side).map(|(_, drug)| *drug).collect()
    };
    // In ascending order, drugs of the second side follow those of the first.
    let first = fitted.drugs.between_terms(tables[1], &of_side(1))?;
    let second = fitted.drugs.between_terms(tables[2], &of_side(2))?;
    for ((first, second), term) in first.into_iter().zip(second).zip(&fitted.drugs.terms) {
        let mut both = ndarray::concatenate(Axis(0), &[first.view(), second.view()]).map_err(|error| {
            Error::failed("the kernels of the two drug sides differ in width").with_source(error)
        })?;
        if term.factors.iter().all(|factor| factor.kernel.is_bounded()) {
            // A drug has similarity 1 to itself, even if its features are not known.
            same().for_each(|at| both[at] = 1.0);
        }
        kernels.push(both);
    }
    Ok(Members::new(&fitted.components, kernels, known))
}

/// Every combination of some drugs.
struct Combinations<'a> {
    model: &'a FittedCombinations,
    cells: &'a EntityTable,
    members: Members,
    panels: Panels,
}

impl PreparedCombinations for Combinations<'_> {
    fn in_cell_lines<'a>(&'a self, cells: &'a [u32]) -> Result<Box<dyn CombinationScores + 'a>> {
        let cells = self.model.cell_lines(self.cells, cells)?;
        Ok(Box::new(InCellLines { all: self, cells }))
    }
}

struct InCellLines<'a> {
    all: &'a Combinations<'a>,
    cells: Vec<CellLine>,
}

impl CombinationScores for InCellLines<'_> {
    fn scores(&self, cell: usize, rows: Range<usize>) -> Result<Vec<f32>> {
        let Combinations { model, members, panels, .. } = self.all;
        Ok(panels.scores(members, &model.fitted, &self.cells[cell], rows))
    }
}

impl FittedModel for FittedCombinations {
    fn family(&self) -> &'static str {
        "kernel"
    }

    fn sides(&self) -> usize {
        3
    }

    fn space(&self, side: usize) -> &FeatureSpace {
        &self.kernel(side).space
    }

    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        query.check(3)?;
        let mut tuple = [0; 3];
        let id = |(side, drug): &Member| query.tables[*side].ids()[*drug as usize].as_str();
        // A prediction must not depend on the order of the drugs, not even in its rounding.
        let ordered = |mut pair: [Member; 2]| {
            pair.sort_by_key(id);
            pair
        };
        let asked: Vec<(u32, [Member; 2])> = (0..query.tuples.len())
            .map(|index| {
                query.tuples.get(index, &mut tuple);
                (tuple[0], ordered([(1, tuple[1]), (2, tuple[2])]))
            })
            .collect();
        let distinct = |mut list: Vec<Member>| {
            list.sort_unstable();
            list.dedup();
            list
        };
        let drugs = distinct(asked.iter().flat_map(|(_, pair)| *pair).collect());
        let places: HashMap<Member, usize> = drugs.iter().copied().zip(0..).collect();
        let members = members(&self.fitted, query.tables, &drugs)?;
        let mut order: Vec<usize> = (0..asked.len()).collect();
        order.sort_by_key(|at| asked[*at]);
        let in_cells: Vec<&[usize]> = order.chunk_by(|a, b| asked[*a].0 == asked[*b].0).collect();
        let cells: Vec<u32> = in_cells.iter().map(|list| asked[list[0]].0).collect();
        let cells = self.cell_lines(query.tables[0], &cells)?;
        let in_cell = |(cell, list): (&CellLine, &&[usize])| {
            let combinations: Vec<[usize; 2]> =
                list.iter().map(|at| asked[*at].1.map(|member| places[&member])).collect();
            members.listed(&self.fitted, cell, &combinations)
        };
        let found: Vec<Vec<f32>> = cells.par_iter().zip(&in_cells).map(in_cell).collect();
        let mut out = vec![0.0; asked.len()];
        for (at, value) in order.iter().zip(found.iter().flatten()) {
            out[*at] = *value;
        }
        Ok(out)
    }

    fn prepare_combinations<'a>(
        &'a self,
        tables: &'a [&'a EntityTable],
        drugs: &'a [u32],
    ) -> Result<Box<dyn PreparedCombinations + 'a>> {
        Query::check_tables(tables, 3)?;
        let id = |drug: &u32| &tables[1].ids()[*drug as usize];
        if !drugs.is_sorted_by(|a, b| id(a) < id(b)) {
            return Err(Error::failed("the drugs are out of order: expected them in the order of their ids"));
        }
        let list: Vec<Member> = drugs.iter().map(|drug| (1, *drug)).collect();
        let members = members(&self.fitted, tables, &list)?;
        let panels = Panels::of(&members);
        Ok(Box::new(Combinations { model: self, cells: tables[0], members, panels }))
    }

    fn stored(&self) -> Result<StoredModel> {
        let fitted = &self.fitted;
        let side = |ids: &[String], kernel: &SideKernel| SideDescription {
            ids: ids.to_vec(),
            space: kernel.space.clone(),
            terms: kernel.terms.clone(),
        };
        let description = Description {
            combinations: true,
            params: fitted.params.clone(),
            target: fitted.target.clone(),
            cells: side(&fitted.cell_ids, &fitted.cells),
            drugs: side(&fitted.drug_ids, &fitted.drugs),
            components: fitted.components.clone(),
            own: fitted.own,
            variances: fitted.variances,
        };
        let values = |kernel: &SideKernel| Tensor::F32(kernel.values.iter().copied().collect());
        let pairs = fitted.combinations.iter().flatten().map(|drug| *drug as u32).collect();
        let tensors = [
            ("baseline", Tensor::F64(fitted.baseline.to_vec())),
            ("coefficients", Tensor::F64(fitted.coefficients.iter().copied().collect())),
            ("combinations", Tensor::U32(pairs)),
            ("cell_features", values(&fitted.cells)),
            ("drug_features", values(&fitted.drugs)),
        ];
        StoredModel::new(&description, tensors)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    combinations: bool,
    params: KernelParams,
    target: String,
    cells: SideDescription,
    drugs: SideDescription,
    components: Vec<Component>,
    own: f64,
    variances: CellVariances,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SideDescription {
    ids: Vec<String>,
    space: FeatureSpace,
    terms: Vec<FittedTerm>,
}

impl FittedCombinations {
    fn kernel(&self, side: usize) -> &SideKernel {
        if side == 0 { &self.fitted.cells } else { &self.fitted.drugs }
    }

    /// Reads a model from its [`FittedModel::stored`] form, exactly as it was.
    ///
    /// # Errors
    /// If the description is not that of a kernel model of combinations, or a tensor is missing, has the wrong type or
    /// length, or holds an invalid number.
    pub fn from_stored(stored: &StoredModel) -> Result<Self> {
        let fitted = Self::read(stored)?;
        stored.refuse_unknown(&fitted.stored()?)?;
        Ok(fitted)
    }

    fn read(stored: &StoredModel) -> Result<Self> {
        let Description { params, target, cells, drugs, components, own, variances, .. } =
            stored.described()?;
        let CellVariances { common, features, own: each, noise } = variances;
        let sound = |value: f64| value.is_finite() && value >= 0.0;
        let weights = components.iter().map(|one| one.weight);
        if !weights.chain([own, common, features, each, noise]).all(sound) {
            return Err(malformed("a variance is negative or not finite"));
        }
        let kernels = drugs.terms.len() + 1;
        let there = |one: &Component| match one.part {
            Part::Members(k) => k < kernels,
            Part::Both(k, l) => k < kernels && l < kernels,
        };
        if !components.iter().all(there) {
            return Err(malformed("a component names a kernel that does not exist"));
        }
        let pairs = match stored.tensors.get("combinations") {
            Some(Tensor::U32(pairs)) if pairs.len() % 2 == 0 => pairs,
            _ => return Err(malformed("its combinations are missing")),
        };
        let combinations: Vec<[usize; 2]> =
            pairs.as_chunks::<2>().0.iter().map(|pair| pair.map(|drug| drug as usize)).collect();
        let ascending = combinations.is_sorted_by(|a, b| a < b);
        if !ascending || combinations.iter().any(|[a, b]| a > b || *b >= drugs.ids.len()) {
            return Err(malformed("its combinations are out of order, or name drugs that do not exist"));
        }
        let shape = (combinations.len(), cells.ids.len());
        let coefficients = stored.f64s("coefficients", shape.0 * shape.1)?.to_vec();
        let coefficients = Matrix::from_shape_vec(shape, coefficients)
            .map_err(|error| malformed("coefficients").with_source(error))?;
        Self::new(Fitted {
            params,
            target,
            components,
            own,
            variances,
            baseline: stored.f64s("baseline", cells.ids.len())?.to_vec().into(),
            combinations,
            coefficients,
            cell_ids: cells.ids.clone(),
            drug_ids: drugs.ids.clone(),
            cells: side(stored, "cell_features", cells)?,
            drugs: side(stored, "drug_features", drugs)?,
        })
    }
}

fn side(stored: &StoredModel, tensor: &str, described: SideDescription) -> Result<SideKernel> {
    stored_kernel(stored, tensor, described.ids.len(), described.space, described.terms)
}
