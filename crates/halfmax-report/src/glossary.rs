//! Terms in plain words.

use crate::data::Term;

const TERMS: [(&str, &str); 20] = [
    (
        "Agreement",
        "Whether a mechanism or gene pushes the way in which the catalogue of mechanisms expects it to.",
    ),
    (
        "Attribution",
        "A feature's share in one prediction: how far it moves the predicted response away from the average.",
    ),
    (
        "AUC",
        "Area under the viability curve, 0 to 1. Low: the drug kills at low doses. High: it hardly works. AAC: the area above it.",
    ),
    ("Calibration", "Whether intervals that promise to hold, say, 90 % of the observations really do."),
    (
        "Ceiling",
        "The score that a repetition of the experiment would get. No model can be expected to do much better.",
    ),
    ("Competitive test", "Asks whether a mechanism's genes matter more than other genes do."),
    (
        "Confounder",
        "Something besides the mechanisms that explains responses, such as the tissue a cell line comes from.",
    ),
    (
        "Counterfactual",
        "What the model would predict if one thing about the sample were otherwise. Not an experiment.",
    ),
    ("Feature", "Something measured of a cell line or drug: a gene's expression, a mutation, a copy number."),
    ("General sensitivity", "How a cell line responds to drugs on the whole, whichever they are."),
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
        "A p value corrected for the number of tests: the expected share of false findings among those as strong.",
    ),
    ("R²", "The share of the variation that predictions explain."),
    (
        "Resistance, sensitivity",
        "▲ towards resistance: the drug works less well. ▼ towards sensitivity: it works better. Of ln IC50 or AUC, resistance is up; of \
         pIC50 or AAC, down.",
    ),
    (
        "RMSE",
        "Root mean squared error: how far predictions are off, in the unit of the response. Lower is better.",
    ),
    ("Self-contained test", "Asks whether a mechanism's genes matter at all, whatever other genes do."),
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
