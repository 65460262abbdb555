//! Suggests the name that a user meant.

/// The known name that is most similar, ignoring case, if its Jaro–Winkler similarity is above 0.7. Use it for keys, columns
/// and model names: these are few, and users may shorten a long name.
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

/// The known name with the fewest edits (Levenshtein), if they are few for the length of the name. On ties the first name in
/// the alphabet wins. Use it for gene symbols: there are so many that Jaro–Winkler always finds a similar one.
///
/// ```
/// assert_eq!(halfmax_core::nearest_by_edits("ABCB", ["ABCB1", "TP53"]), Some("ABCB1"));
/// assert_eq!(halfmax_core::nearest_by_edits("ABCB", ["TP53"]), None);
/// assert_eq!(halfmax_core::nearest_by_edits("upp", ["up", "down"]), Some("up"));
/// assert_eq!(halfmax_core::nearest_by_edits("é", ["x"]), Some("x"));
/// assert_eq!(halfmax_core::nearest_by_edits("ab", ["ac", "aa"]), Some("aa"));
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
