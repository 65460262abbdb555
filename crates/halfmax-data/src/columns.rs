//! Names of columns, compared without what does not matter.

/// A column name without what does not matter: case, blanks, hyphens, underscores, dots, brackets.
pub(crate) fn plain(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-' | '.' | '(' | ')' | '[' | ']'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// Whether a text is a name by which some role is recognised.
pub(crate) fn is_known_name(name: &str) -> bool {
    !crate::roles::roles_of(name).0.is_empty()
}
