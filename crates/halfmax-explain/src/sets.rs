//! Sets of features that represent mechanisms.

use halfmax_core::FeatureSpace;
use halfmax_mechanisms::{Direction, DrugClass, Mechanism, Mechanisms, Reading, Sense};

/// A set of features that represents a mechanism or any other set of genes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureSet {
    /// Its members, without repeats.
    pub members: Vec<Member>,
}

/// A feature of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its position among the features of the model.
    pub feature: u32,
    /// The gene, and the meaning of a higher value.
    pub reading: Reading,
    /// 1 if a higher value means more of the mechanism (an overexpressed transporter, an activating mutation), −1 if it
    /// means less (the expression of a tumour suppressor whose loss confers resistance).
    pub orientation: f32,
}

impl FeatureSet {
    /// The features of a model for each mechanism of a catalogue, in its order; empty if the model has none.
    pub fn from_catalogue(catalogue: &Mechanisms, space: &FeatureSpace) -> Vec<Self> {
        let readings: Vec<Vec<Reading>> = space
            .features
            .iter()
            .map(|feature| catalogue.genes_of_feature(&feature.kind, &feature.name))
            .collect();
        catalogue.list.iter().map(|mechanism| Self::of_mechanism(mechanism, &readings)).collect()
    }

    fn of_mechanism(mechanism: &Mechanism, readings: &[Vec<Reading>]) -> Self {
        let genes: std::collections::HashSet<&str> = mechanism.genes().collect();
        let member = |(feature, readings): (usize, &Vec<Reading>)| {
            let reading = readings.iter().find(|reading| genes.contains(reading.gene.as_str()))?.clone();
            let orientation = orientation(mechanism, &reading);
            Some(Member { feature: feature as u32, reading, orientation })
        };
        Self { members: readings.iter().enumerate().filter_map(member).collect() }
    }

    /// The positions of its features.
    pub fn features(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.feature).collect()
    }
}

/// Whether a higher value of a feature means more of a mechanism, by the lists that contain its gene.
fn orientation(mechanism: &Mechanism, reading: &Reading) -> f32 {
    let has = |genes: &[String]| genes.contains(&reading.gene);
    let less_acts = has(&mechanism.down);
    match (less_acts, reading.sense) {
        (false, Sense::More | Sense::Altered) | (true, Sense::Less | Sense::Altered) => 1.0,
        (false, Sense::Less) | (true, Sense::More) => -1.0,
    }
}

/// The direction in which a member confers resistance to drugs of these classes, by the catalogue: 1 if resistance
/// rises with its value, −1 if it falls, 0 if unknown, for example if the mechanism does not concern these drugs.
pub fn expected(mechanism: &Mechanism, member: &Member, classes: &[&DrugClass]) -> f32 {
    let gene = &member.reading.gene;
    let is_exception = mechanism.exceptions.iter().any(|exception| {
        exception.genes.contains(gene) && classes.iter().any(|class| exception.classes.contains(&class.id))
    });
    if !is_exception && !mechanism.concerns(classes) {
        return 0.0;
    }
    match mechanism.expected(&member.reading.gene, member.reading.sense, classes) {
        Some(Direction::Resistant) => 1.0,
        Some(Direction::Sensitive) => -1.0,
        None => 0.0,
    }
}
