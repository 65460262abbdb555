//! Classes of drugs: by what they hit.

use serde::{Deserialize, Serialize};

use super::Mechanisms;

/// A class of drugs, and how to tell that a drug belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrugClass {
    /// A short name, unique in the catalogue: "mek".
    pub id: String,
    /// What it is called: "MEK inhibitors".
    pub name: String,
    /// The id of the wider class that all its drugs belong to as well: "kinase".
    #[serde(default)]
    pub within: Option<String>,
    /// Targets of which any makes a drug a member: "MAP2K1", "MEK1".
    #[serde(default)]
    pub targets: Vec<String>,
    /// Target pathways, as screens call them, of which any makes a drug a member.
    #[serde(default)]
    pub pathways: Vec<String>,
    /// Names of members, and synonyms: "Trametinib", "GSK1120212".
    #[serde(default)]
    pub drugs: Vec<String>,
}

impl Mechanisms {
    /// The classes of a drug, in the order of the catalogue, with the wider classes that these belong to: from its name,
    /// its targets (joined by commas, as screens list them) and its target pathway. What is not known is left empty.
    ///
    /// Case, blanks and punctuation do not count. Where a name or a target has something in parentheses, either part is
    /// enough: `PDK1 (PDPK1)` is found as PDK1 and as PDPK1, `Nutlin-3a (-)` as Nutlin-3a.
    ///
    /// ```
    /// use halfmax_mechanisms::Mechanisms;
    /// let catalogue = Mechanisms::named("builtin")?;
    /// let ids = |name: &str, targets: &str, pathway: &str| -> Vec<String> {
    ///     catalogue.classes_of(name, targets, pathway).iter().map(|class| class.id.clone()).collect()
    /// };
    /// assert_eq!(ids("Trametinib", "", ""), ["kinase", "mek"]);
    /// assert_eq!(ids("a new one", "MAP2K1, MAP2K2", ""), ["kinase", "mek"]);
    /// assert!(ids("an unknown drug", "", "").is_empty());
    /// # Ok::<(), halfmax_core::Error>(())
    /// ```
    pub fn classes_of(&self, name: &str, targets: &str, pathway: &str) -> Vec<&DrugClass> {
        let (names, targets, pathway) = (words(name), words(targets), plain(pathway));
        let belongs = |class: &DrugClass| {
            let any =
                |known: &[String], given: &[String]| known.iter().any(|one| given.contains(&plain(one)));
            any(&class.drugs, &names)
                || any(&class.targets, &targets)
                || class.pathways.iter().any(|known| !pathway.is_empty() && plain(known) == pathway)
        };
        let direct: Vec<&DrugClass> = self.classes.iter().filter(|class| belongs(class)).collect();
        let within =
            |class: &DrugClass| direct.iter().any(|member| member.within.as_deref() == Some(&class.id));
        self.classes
            .iter()
            .filter(|class| direct.iter().any(|member| member.id == class.id) || within(class))
            .collect()
    }
}

/// A name without case, blanks and punctuation.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A list as a screen gives it, in plain words: the whole, its parts, and each part before and inside of parentheses.
fn words(list: &str) -> Vec<String> {
    let parts = list.split([',', ';', '/']).flat_map(|part| {
        let (before, inside) = part.split_once('(').unwrap_or((part, ""));
        [part, before, inside]
    });
    let mut words: Vec<String> = std::iter::once(list).chain(parts).map(plain).collect();
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_screens_are_taken_apart() {
        assert_eq!(
            words("PDK1 (PDPK1), VEGFR3/FLT4"),
            ["pdk1pdpk1vegfr3flt4", "pdk1pdpk1", "pdk1", "pdpk1", "vegfr3", "vegfr3", "flt4", "flt4"]
        );
        assert_eq!(words(" (, "), [""; 0]);
    }
}
