//! The name that somebody meant who wrote another.

/// The known name that is most alike, in upper or lower case, if any is much alike (by Jaro and Winkler: above 0.7). For keys, columns
/// and names of models, where there are few and a long one may be cut short.
///
/// ```
/// assert_eq!(halfmax_core::nearest("leaning_rate", ["rounds", "learning_rate"]), Some("learning_rate"));
/// assert_eq!(halfmax_core::nearest("xyz", ["rounds", "learning_rate"]), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|other| (strsim::jaro_winkler(&name, &other.to_lowercase()), other))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

/// The known name that the fewest edits lead to, if they are few for its length (Levenshtein); of several the first in the alphabet.
/// For symbols of genes: there are so many that something is always much alike.
///
/// ```
/// assert_eq!(halfmax_core::nearest_by_edits("ABCB", ["ABCB1", "TP53"]), Some("ABCB1"));
/// assert_eq!(halfmax_core::nearest_by_edits("ABCB", ["TP53"]), None);
/// ```
pub fn nearest_by_edits<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = 1 + name.chars().count() / 5;
    known
        .into_iter()
        .filter(|other| other.len().abs_diff(name.len()) <= most)
        .map(|other| (strsim::levenshtein(name, other), other))
        .filter(|(edits, _)| *edits <= most)
        .min()
        .map(|(_, other)| other)
}
