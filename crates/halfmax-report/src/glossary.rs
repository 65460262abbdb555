//! Terms in plain words.

use crate::data::Term;

const TERMS: [(&str, &str); 20] = [
    ("Agreement", "Whether the direction of a mechanism or gene agrees with the catalogue of mechanisms."),
    (
        "Attribution",
        "A feature's contribution to one prediction: how far it shifts the predicted response from the average.",
    ),
    (
        "AUC",
        "Area under the viability curve, 0 to 1. Low: the drug kills at low doses. High: the drug hardly works. AAC: the area above the curve.",
    ),
    (
        "Calibration",
        "Whether intervals with a nominal coverage of, say, 90 % really contain 90 % of the observations.",
    ),
    (
        "Ceiling",
        "The score that a repetition of the experiment would achieve. No model can be expected to score much better.",
    ),
    ("Competitive test", "Tests whether a mechanism's genes matter more than other genes."),
    (
        "Confounder",
        "A factor besides the mechanisms that explains responses, such as the tissue of a cell line.",
    ),
    (
        "Counterfactual",
        "The model's prediction if one property of the sample were different. Not an experiment.",
    ),
    (
        "Feature",
        "A measured property of a cell line or drug: the expression of a gene, a mutation, a copy number.",
    ),
    ("General sensitivity", "How a cell line responds to drugs in general."),
    (
        "IC50",
        "The concentration at which a drug halves the growth or number of cells. ln IC50: its natural logarithm.",
    ),
    (
        "Interval",
        "The range in which a value lies with 95 % confidence, or in which 95 % of outcomes are expected.",
    ),
    ("Mechanism", "A way in which cells escape a drug, with the genes known to be involved."),
    ("p value", "How often chance alone would give a result at least as strong."),
    (
        "Pearson correlation",
        "How well predictions and observations rise and fall together: 1 perfectly, 0 not at all.",
    ),
    (
        "q value",
        "A p value corrected for the number of tests: the expected fraction of false findings among findings at least as strong.",
    ),
    ("R²", "The fraction of the variation that predictions explain."),
    (
        "Resistance, sensitivity",
        "▲ towards resistance: the drug works less well. ▼ towards sensitivity: it works better. For ln IC50 or AUC, higher means resistance; for \
         pIC50 or AAC, down.",
    ),
    (
        "RMSE",
        "Root mean squared error: how far predictions are off, in the unit of the response. Lower is better.",
    ),
    ("Self-contained test", "Tests whether a mechanism's genes matter at all, regardless of other genes."),
];

/// The terms that reports use, for [`Notes::glossary`](crate::Notes::glossary).
///
/// ```
/// let terms = halfmax_report::glossary();
/// assert!(terms.iter().any(|term| term.term == "IC50"));
/// ```
pub fn glossary() -> Vec<Term> {
    TERMS.iter().map(|(term, meaning)| Term { term: (*term).into(), meaning: (*meaning).into() }).collect()
}
