//! Column names in a plain form for comparisons.

/// A column name in lower case, without blanks, hyphens, underscores, dots and brackets.
pub(crate) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '.' | '(' | ')' | '[' | ']'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether some role is recognised by this name.
pub(crate) fn is_known_name(name: &str) -> bool {
    !crate::roles::roles_of(name).0.is_empty()
}
