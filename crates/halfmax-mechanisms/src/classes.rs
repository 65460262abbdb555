//! Classes of drugs by their targets.

use serde::{Deserialize, Serialize};

use super::Mechanisms;

/// A class of drugs, and the criteria for its members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrugClass {
    /// A short name, unique in the catalogue: "mek".
    pub id: String,
    /// The full name: "MEK inhibitors".
    pub name: String,
    /// The id of the wider class that also contains all its drugs: "kinase".
    #[serde(default)]
    pub within: Option<String>,
    /// Targets; a drug with any of them is a member: "MAP2K1", "MEK1".
    #[serde(default)]
    pub targets: Vec<String>,
    /// Target pathways, named as in screens; a drug with any of them is a member.
    #[serde(default)]
    pub pathways: Vec<String>,
    /// Names of members, and synonyms: "Trametinib", "GSK1120212".
    #[serde(default)]
    pub drugs: Vec<String>,
}

impl Mechanisms {
    /// The classes of a drug and their wider classes, in the order of the catalogue. They follow from its name, its
    /// targets (separated by commas, as in screens) and its target pathway. Unknown arguments are empty.
    ///
    /// Case, blanks and punctuation are ignored. If a name or a target contains parentheses, either part is enough:
    /// `PDK1 (PDPK1)` is found as PDK1 and as PDPK1, `Nutlin-3a (-)` as Nutlin-3a.
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

/// The plain forms of a list in a screen: the whole, its parts, and each part before and inside parentheses.
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
