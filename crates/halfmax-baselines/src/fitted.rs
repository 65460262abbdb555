//! Fitted naive predictors: prediction and storage.

use std::collections::{BTreeMap, HashMap};

use halfmax_core::{
    EntityTable, Error, FeatureSpace, FittedModel, Query, Result, StoredModel, Tensor, malformed,
};
use serde::{Deserialize, Serialize};

use crate::Naive;

/// A fitted [`Naive`] predictor: a mean, and deviations from it per entity.
///
/// It finds entities by their ids, in any table of a query. It needs no features.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedNaive {
    pub(crate) naive: Naive,
    pub(crate) mean: f64,
    pub(crate) sides: usize,
    pub(crate) terms: Vec<Term>,
    pub(crate) tissues: Option<Tissues>,
    /// The deviations of combinations, by the positions of their drugs. The positions are ascending if the drugs share a table.
    pub(crate) combinations: BTreeMap<Vec<u32>, f64>,
}

/// The effects of the entities on some sides. Sides with the same table share them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Term {
    sides: Vec<usize>,
    ids: Vec<String>,
    index: HashMap<String, usize>,
    effects: Vec<f64>,
}

/// For each term, the deviations of tissue × drug from the global mean, tissue-major.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tissues {
    pub(crate) levels: Vec<String>,
    pub(crate) deviations: Vec<Vec<f64>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    family: Naive,
    sides: usize,
    terms: Vec<TermDescription>,
    tissues: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TermDescription {
    sides: Vec<usize>,
    ids: Vec<String>,
}

impl Term {
    pub(crate) fn new(sides: Vec<usize>, ids: Vec<String>, effects: Vec<f64>) -> Result<Self> {
        let index: HashMap<String, usize> = ids.iter().cloned().zip(0..).collect();
        if index.len() != ids.len() {
            return Err(Error::data("an entity of a naive predictor occurs twice"));
        }
        Ok(Self { sides, ids, index, effects })
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.index.get(id).copied()
    }
}

impl FittedNaive {
    /// The kind of the predictor.
    pub fn naive(&self) -> Naive {
        self.naive
    }

    /// The mean of the training responses, in the unit of the target.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Reads a predictor from its [`FittedModel::stored`] form, exactly as it was.
    ///
    /// # Errors
    /// If the description is not that of a naive predictor, or a tensor is missing, has the wrong type or length, or is not finite.
    pub fn from_stored(stored: &StoredModel) -> Result<Self> {
        let fitted = Self::read(stored)?;
        stored.refuse_unknown(&fitted.stored()?)?;
        Ok(fitted)
    }

    fn read(stored: &StoredModel) -> Result<Self> {
        let Description { family: naive, sides, terms: described, tissues: levels } = stored.described()?;
        if sides < 2 || described.iter().flat_map(|term| &term.sides).any(|side| *side >= sides) {
            return Err(malformed(format!("an effect names a side beyond its {sides} sides")));
        }
        if levels.is_some() != (naive == Naive::TissueDrugMean) {
            return Err(malformed("its description has unexpected tissues, or lacks tissues"));
        }
        let mean = stored.f64s("mean", 1)?[0];
        let mut terms = Vec::new();
        let mut deviations = Vec::new();
        for (at, term) in described.into_iter().enumerate() {
            let effects = stored.f64s(&format!("effects_{at}"), term.ids.len())?.to_vec();
            if let Some(levels) = &levels {
                let length = levels.len() * term.ids.len();
                deviations.push(stored.f64s(&format!("tissue_deviations_{at}"), length)?.to_vec());
            }
            terms.push(Term::new(term.sides, term.ids, effects)?);
        }
        let tissues = levels.map(|levels| Tissues { levels, deviations });
        let combinations = match naive {
            Naive::CombinationMean => combinations(stored, sides)?,
            _ => BTreeMap::new(),
        };
        Ok(Self { naive, mean, sides, terms, tissues, combinations })
    }

    /// The deviation of the combination of a tuple, if the combination was in training.
    fn of_combination(&self, tuple: &[u32], addends: &[Addend]) -> Option<f64> {
        let members = addends.iter().map(|addend| addend.positions[tuple[addend.side] as usize]);
        let mut members: Vec<u32> =
            members.map(|place| place.map(|place| place as u32)).collect::<Option<_>>()?;
        if self.terms.len() == 1 {
            members.sort_unstable();
        }
        self.combinations.get(&members).copied()
    }

    /// For each entity of a query's cell-line table, its tissue among the training tissues.
    fn tissue_of(&self, cells: &EntityTable) -> Vec<Option<usize>> {
        let (Some(tissues), Some(group)) = (&self.tissues, cells.group("tissue")) else {
            return vec![None; cells.len()];
        };
        let known: HashMap<&str, usize> = tissues.levels.iter().map(String::as_str).zip(0..).collect();
        let translated: Vec<Option<usize>> =
            group.levels.iter().map(|level| known.get(level.as_str()).copied()).collect();
        let code = |code: &Option<u16>| code.and_then(|code| *translated.get(usize::from(code))?);
        group.codes.iter().map(code).collect()
    }
}

/// The deviations of one side, for every entity of the query's table.
struct Addend<'a> {
    side: usize,
    positions: Vec<Option<usize>>,
    effects: &'a [f64],
    by_tissue: Option<&'a [f64]>,
}

impl Addend<'_> {
    fn of(&self, entity: u32, tissue: Option<usize>) -> f64 {
        let Some(position) = self.positions[entity as usize] else { return 0.0 };
        match (self.by_tissue, tissue) {
            (Some(deviations), Some(tissue)) => deviations[tissue * self.effects.len() + position],
            _ => self.effects[position],
        }
    }
}

impl FittedModel for FittedNaive {
    fn family(&self) -> &'static str {
        self.naive.name()
    }

    fn sides(&self) -> usize {
        self.sides
    }

    /// Empty: a naive predictor needs no features.
    fn space(&self, _side: usize) -> &FeatureSpace {
        FeatureSpace::none()
    }

    /// # Errors
    /// If the numbers of sides of the query and the training data differ, or the query names an entity that its table lacks.
    fn predict(&self, query: &Query) -> Result<Vec<f32>> {
        query.check(self.sides)?;
        let mut addends = Vec::new();
        for (at, term) in self.terms.iter().enumerate() {
            for side in &term.sides {
                let ids = query.tables[*side].ids();
                let positions = ids.iter().map(|id| term.position(id)).collect();
                let by_tissue = self.tissues.as_ref().map(|tissues| tissues.deviations[at].as_slice());
                addends.push(Addend { side: *side, positions, effects: &term.effects, by_tissue });
            }
        }
        let tissues = self.tissue_of(query.tables[0]);
        let mut tuple = vec![0; self.sides];
        let predict = |at| {
            query.tuples.get(at, &mut tuple);
            let tissue = tissues[tuple[0] as usize];
            if !self.combinations.is_empty()
                && let Some(own) = self.of_combination(&tuple, &addends)
            {
                return (self.mean + own) as f32;
            }
            let added: f64 = addends.iter().map(|addend| addend.of(tuple[addend.side], tissue)).sum();
            (self.mean + added) as f32
        };
        Ok((0..query.tuples.len()).map(predict).collect())
    }

    fn stored(&self) -> Result<StoredModel> {
        let described = |term: &Term| TermDescription { sides: term.sides.clone(), ids: term.ids.clone() };
        let description = Description {
            family: self.naive,
            sides: self.sides,
            terms: self.terms.iter().map(described).collect(),
            tissues: self.tissues.as_ref().map(|tissues| tissues.levels.clone()),
        };
        let mut tensors = BTreeMap::from([("mean".to_owned(), Tensor::F64(vec![self.mean]))]);
        for (at, term) in self.terms.iter().enumerate() {
            tensors.insert(format!("effects_{at}"), Tensor::F64(term.effects.clone()));
        }
        for (at, deviations) in self.tissues.iter().flat_map(|tissues| &tissues.deviations).enumerate() {
            tensors.insert(format!("tissue_deviations_{at}"), Tensor::F64(deviations.clone()));
        }
        if self.naive == Naive::CombinationMean {
            let members = self.combinations.keys().flatten().copied().collect();
            tensors.insert("combinations".into(), Tensor::U32(members));
            let values = self.combinations.values().copied().collect();
            tensors.insert("combination_deviations".into(), Tensor::F64(values));
        }
        StoredModel::new(&description, tensors)
    }
}

/// The deviations of combinations in a file.
fn combinations(stored: &StoredModel, sides: usize) -> Result<BTreeMap<Vec<u32>, f64>> {
    let count = match stored.tensors.get("combination_deviations") {
        Some(Tensor::F64(values)) => values.len(),
        _ => 0,
    };
    let values = stored.f64s("combination_deviations", count)?;
    let members = stored.u32s("combinations", count * (sides - 1))?;
    Ok(members.chunks(sides - 1).map(<[u32]>::to_vec).zip(values.iter().copied()).collect())
}
