//! The meaning of features for genes.

use halfmax_core::{CellKind, Sense};

use super::{Mechanisms, symbols};

/// What a higher value of a feature says of a gene.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The HGNC symbol of the gene.
    pub gene: String,
    /// The meaning of a higher value.
    pub sense: Sense,
}

impl Mechanisms {
    /// The genes of a feature, and the meaning of a higher value for each. `kind` is the kind of the feature's block.
    ///
    /// A name `…_mut` is a mutation and a name `gain_…_(GENES)` or `loss_…_(GENES)` a segment of a chromosome, whatever
    /// the kind; other names are read as their kind says, see [`Sense`]. Synonyms of the catalogue and old symbols of
    /// genes are translated. A feature of a kind without genes (tissue, fingerprint), or a segment without gene names,
    /// has no reading.
    ///
    /// ```
    /// use halfmax_mechanisms::{Mechanisms, Sense};
    /// let catalogue = Mechanisms::named("builtin")?;
    /// let read = |kind: &str, name: &str| -> Vec<(String, Sense)> {
    ///     catalogue.genes_of_feature(kind, name).into_iter().map(|reading| (reading.gene, reading.sense)).collect()
    /// };
    /// assert_eq!(read("expression", "ABCB1"), [("ABCB1".into(), Sense::More)]);
    /// assert_eq!(read("events", "BCR-ABL_mut"), [("ABL1".into(), Sense::Altered), ("BCR".into(), Sense::Altered)]);
    /// assert_eq!(read("events", "MLL2_mut"), [("KMT2D".into(), Sense::Altered)]);
    /// assert_eq!(read("events", "loss_cnaPANCAN389_(RB1)"), [("RB1".into(), Sense::Less)]);
    /// assert!(read("tissue", "lung").is_empty());
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn genes_of_feature(&self, kind: &str, name: &str) -> Vec<Reading> {
        let Some((names, sense)) = names_and_sense(kind, name.trim()) else {
            return Vec::new();
        };
        let mut found: Vec<Reading> = Vec::new();
        for gene in names.into_iter().flat_map(|name| self.genes_called(name, sense)) {
            if !found.iter().any(|reading| reading.gene == gene) {
                found.push(Reading { gene, sense });
            }
        }
        found
    }

    /// The genes of a name: the genes of a synonym, else the gene with this symbol, else the genes of a fusion, else
    /// the name itself.
    fn genes_called(&self, name: &str, sense: Sense) -> Vec<String> {
        let synonym = self.synonyms.iter().find(|(synonym, _)| synonym.eq_ignore_ascii_case(name));
        if let Some((_, genes)) = synonym {
            return genes.clone();
        }
        if self.genes.also.iter().any(|gene| gene == name) {
            return vec![name.to_string()];
        }
        let symbol = symbols::approved(name).map(|symbol| vec![symbol.to_string()]);
        let fused = || (sense == Sense::Altered).then(|| fused(name)).flatten();
        symbol.or_else(fused).unwrap_or_else(|| vec![name.to_string()])
    }
}

/// The genes of a fusion: "TMPRSS2-ERG", "TMPRSS2::ERG".
fn fused(name: &str) -> Option<Vec<String>> {
    let parts = name.split(['-', ':']).filter(|part| !part.is_empty());
    let genes: Vec<String> =
        parts.map(|part| symbols::approved(part).map(str::to_string)).collect::<Option<_>>()?;
    (genes.len() > 1).then_some(genes)
}

/// The gene names in the name of a feature, and the meaning of a higher value.
fn names_and_sense<'a>(kind: &str, name: &'a str) -> Option<(Vec<&'a str>, Sense)> {
    if let Some(mutated) = name.strip_suffix("_mut") {
        return Some((nonempty(vec![mutated])?, Sense::Altered));
    }
    let segment = |rest: &'a str| rest.split_once('(').map(|(_, genes)| genes.trim_end_matches(')'));
    let listed = |genes: &'a str| genes.split([',', ' ']).filter(|gene| !gene.is_empty()).collect();
    if let Some(rest) = name.strip_prefix("gain_") {
        return Some((nonempty(listed(segment(rest)?))?, Sense::More));
    }
    if let Some(rest) = name.strip_prefix("loss_") {
        return Some((nonempty(listed(segment(rest)?))?, Sense::Less));
    }
    Some((nonempty(vec![name])?, sense_of(kind)?))
}

fn nonempty(names: Vec<&str>) -> Option<Vec<&str>> {
    (!names.is_empty() && names.iter().all(|name| !name.is_empty())).then_some(names)
}

/// The meaning of a higher value of a feature of this kind for its gene.
fn sense_of(kind: &str) -> Option<Sense> {
    CellKind::named(kind).map_or_else(|| sense_by_words(kind), |kind| kind.gene_sense())
}

/// Words in the kinds of blocks that other programs make, and what a higher value means there.
const WORDS: [(&[&str], Sense); 3] = [
    (&["mutation", "event", "fusion", "variant"], Sense::Altered),
    (&["methylation"], Sense::Less),
    (&["expression", "copy_number", "protein", "proteom", "rna"], Sense::More),
];

fn sense_by_words(kind: &str) -> Option<Sense> {
    let kind = kind.to_lowercase();
    let found = WORDS.iter().find(|(words, _)| words.iter().any(|word| kind.contains(word)));
    found.map(|(_, sense)| *sense)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(kind: &str, name: &str) -> String {
        let catalogue = Mechanisms::named("builtin").unwrap();
        let readings = catalogue.genes_of_feature(kind, name);
        let shown: Vec<String> = readings.iter().map(|r| format!("{} {:?}", r.gene, r.sense)).collect();
        shown.join(", ")
    }

    #[test]
    fn features_of_the_screens_are_of_genes() {
        assert_eq!(read("events", "EWSR1-FLI1_mut"), "EWSR1 Altered, FLI1 Altered");
        assert_eq!(
            read("events", "gain_cnaPANCAN301_(CDK12,ERBB2,MED24)"),
            "CDK12 More, ERBB2 More, MED24 More"
        );
        assert_eq!(
            read("events", "loss_cnaPANCAN235_(ARID1B MAP3K4 MLLT4)"),
            "ARID1B Less, MAP3K4 Less, AFDN Less"
        );
        assert_eq!(read("events", "MSI_FACTOR"), "MLH1 Altered, MSH2 Altered, MSH6 Altered, PMS2 Altered");
        assert_eq!(read("copy_number", "HER2"), "ERBB2 More");
        assert_eq!(read("events", "TMPRSS2-ERG_mut"), "TMPRSS2 Altered, ERG Altered");
        assert_eq!(read("fusion", "KMT2A::AFF1"), "KMT2A Altered, AFF1 Altered");
        assert_eq!(read("events", "HLA-A_mut"), "HLA-A Altered");
        assert_eq!(read("methylation", "MGMT"), "MGMT Less");
        assert_eq!(read("expression", "ENSG00000085563"), "ENSG00000085563 More");
    }

    #[test]
    fn what_is_of_no_gene_has_no_reading() {
        for (kind, name) in [
            ("events", "loss_cnaPANCAN4"),
            ("events", "gain_x_()"),
            ("events", ""),
            ("events", "_mut"),
            ("tissue", "lung"),
            ("fingerprint", "12"),
        ] {
            assert_eq!(read(kind, name), "", "{kind} {name}");
        }
    }
}
