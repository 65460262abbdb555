/// A set of features that stand for one mechanism, or for any other set of genes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureSet {
    /// Its members, each once.
    pub members: Vec<Member>,
}

/// A feature of a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its position in the features of the model.
    pub feature: u32,
    /// The gene that it tells of.
    pub gene: String,
    /// 1 where a higher value means more of what the set stands for (an overexpressed transporter), −1 where it means less (a lost
    /// tumour suppressor).
    pub orientation: f32,
}

impl FeatureSet {
    /// The positions of its features.
    pub fn features(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.feature).collect()
    }
}
