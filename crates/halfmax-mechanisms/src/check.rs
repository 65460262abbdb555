//! Reads a catalogue and refuses an invalid one.

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{DrugClass, Exception, Mechanism, Mechanisms, symbols};
use halfmax_core::{Error, Result, listed, nearest_by_edits};

/// The id that means every class of drugs.
pub(super) const ALL: &str = "all";

const KEYS: [&str; 4] = ["mechanism", "class", "synonyms", "genes"];

/// Reads a catalogue entry by entry, so that errors name the entry.
pub(super) fn read(text: &str) -> Result<Mechanisms> {
    let mut table: Table = toml::from_str(text).map_err(|error| {
        Error::config(format!("invalid catalogue of mechanisms: {error}")).with_source(error)
    })?;
    let catalogue = Mechanisms {
        list: entries(&mut table, "mechanism")?,
        classes: entries(&mut table, "class")?,
        synonyms: section(&mut table, "synonyms")?,
        genes: section(&mut table, "genes")?,
    };
    match table.keys().next() {
        None => Ok(catalogue),
        Some(key) => Err(Error::config(format!(
            "the catalogue has an unknown key {key:?}: expected {}",
            KEYS.map(|key| format!("{key:?}")).join(", ")
        ))
        .with_help(meant(key, KEYS.into_iter()))),
    }
}

/// The entries of `[[key]]`.
fn entries<T: DeserializeOwned>(table: &mut Table, key: &str) -> Result<Vec<T>> {
    let entries = match table.remove(key) {
        None => return Ok(Vec::new()),
        Some(Value::Array(entries)) => entries,
        Some(_) => {
            return Err(Error::config(format!("{key} is not a list of entries: expected [[{key}]]"))
                .with_help(format!("write [[{key}]], in double brackets, above each entry")));
        }
    };
    let place = |at: usize, entry: &Value| match entry.get("id").and_then(Value::as_str) {
        Some(id) => format!("{key} {id:?}"),
        None => format!("{key} number {}", at + 1),
    };
    entries.into_iter().enumerate().map(|(at, entry)| typed(&place(at, &entry), entry)).collect()
}

fn section<T: DeserializeOwned + Default>(table: &mut Table, key: &str) -> Result<T> {
    table.remove(key).map_or_else(|| Ok(T::default()), |value| typed(&format!("[{key}]"), value))
}

fn typed<T: DeserializeOwned>(place: &str, value: Value) -> Result<T> {
    value.try_into().map_err(|error: toml::de::Error| {
        let said = error.to_string();
        let said = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        let help = advice(&said);
        Error::config(format!("{place}: {said}")).with_source(error).with_help(help)
    })
}

/// The help for an entry with this serde error. The error quotes first what was found, then what was expected.
fn advice(said: &str) -> String {
    let mut quoted = said.split('`').skip(1).step_by(2);
    let first = quoted.next().unwrap_or_default();
    if said.starts_with("missing field") {
        format!("add {first} = …")
    } else if said.starts_with("unknown") {
        meant(first, quoted)
    } else {
        "see the builtin catalogue for how each key is written".into()
    }
}

fn meant<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest_by_edits(word, known.iter().copied()) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("use one of {}", listed(&known, 60)),
    }
}

/// Refuses an invalid catalogue.
pub(super) fn check(catalogue: &Mechanisms) -> Result<()> {
    if catalogue.list.is_empty() {
        return Err(Error::config("the catalogue has no mechanisms").with_help("add a [[mechanism]]"));
    }
    let ids: Vec<&str> = catalogue.list.iter().map(|mechanism| mechanism.id.as_str()).collect();
    if let Some(id) = repeated(&ids) {
        return Err(
            Error::config(format!("two mechanisms have the id {id:?}")).with_help("give each a unique id")
        );
    }
    classes(&catalogue.classes)?;
    for (synonym, genes) in &catalogue.synonyms {
        some(&format!("synonym {synonym:?}"), "genes", genes.len(), "the genes of the synonym")?;
        approved(catalogue, &format!("synonym {synonym:?}"), "genes", genes)?;
    }
    catalogue.list.iter().try_for_each(|mechanism| check_mechanism(catalogue, mechanism))
}

fn classes(classes: &[DrugClass]) -> Result<()> {
    let ids: Vec<&str> = classes.iter().map(|class| class.id.as_str()).collect();
    if let Some(id) = repeated(&ids) {
        return Err(
            Error::config(format!("two classes have the id {id:?}")).with_help("give each a unique id")
        );
    }
    for class in classes {
        let place = format!("class {:?}", class.id);
        filled(&place, "id", &class.id)?;
        if class.id == ALL {
            return Err(Error::config(format!("{place}: the id {ALL:?} is reserved for every class"))
                .with_help("give the class another id"));
        }
        for (key, names) in
            [("targets", &class.targets), ("pathways", &class.pathways), ("drugs", &class.drugs)]
        {
            once(&place, key, names)?;
        }
        within(&place, class, classes)?;
    }
    Ok(())
}

fn within(place: &str, class: &DrugClass, classes: &[DrugClass]) -> Result<()> {
    let Some(id) = &class.within else {
        return Ok(());
    };
    match classes.iter().find(|wider| wider.id == *id) {
        None => Err(unknown_class(place, "within", id, classes)),
        Some(wider) if wider.within.is_some() => Err(Error::config(format!(
            "{place}: within = {id:?}: expected a class that is not itself within another class"
        ))
        .with_help("classes nest only once: name the widest class")),
        Some(_) => Ok(()),
    }
}

fn check_mechanism(catalogue: &Mechanisms, mechanism: &Mechanism) -> Result<()> {
    let place = format!("mechanism {:?}", mechanism.id);
    filled(&place, "id", &mechanism.id)?;
    filled(&place, "name", &mechanism.name)?;
    genes(catalogue, &place, mechanism)?;
    known_classes(catalogue, &place, &mechanism.classes)?;
    for strategy in &mechanism.strategies {
        filled(&place, "strategies.text", &strategy.text)?;
        filled(&place, "strategies.reference", &strategy.reference)?;
    }
    some(&place, "references", mechanism.references.len(), "at least one source: { text = …, url = … }")?;
    for reference in &mechanism.references {
        filled(&place, "references.text", &reference.text)?;
        if !reference.url.starts_with("https://") && !reference.url.starts_with("http://") {
            let place = format!("{place}: references.url");
            return Err(Error::parameter(&place, format!("{:?}", reference.url), "an address on the web")
                .with_help("for a DOI, write https://doi.org/ before it"));
        }
    }
    exceptions(catalogue, &place, &mechanism.exceptions)
}

fn genes(catalogue: &Mechanisms, place: &str, mechanism: &Mechanism) -> Result<()> {
    let genes: Vec<&str> = mechanism.genes().collect();
    if let Some(gene) = mechanism.members.first() {
        return Err(Error::config(format!("{place}: members has {gene:?}, a gene without a direction"))
            .with_help("put it under up, down or altered; sets without directions are read from GMT files"));
    }
    if genes.len() == mechanism.markers.len() {
        return Err(Error::config(format!(
            "{place} has no genes: expected at least one in up, down or altered"
        ))
        .with_help(
            "list genes whose higher level (up), lower level (down) or change (altered) confers resistance",
        ));
    }
    if let Some(gene) = repeated(&genes) {
        return Err(
            Error::config(format!("{place} names {gene:?} twice")).with_help("keep the correct entry")
        );
    }
    let lists = [
        ("up", &mechanism.up),
        ("down", &mechanism.down),
        ("altered", &mechanism.altered),
        ("markers", &mechanism.markers),
    ];
    lists.into_iter().try_for_each(|(key, genes)| approved(catalogue, place, key, genes))
}

fn exceptions(catalogue: &Mechanisms, place: &str, exceptions: &[Exception]) -> Result<()> {
    for (at, exception) in exceptions.iter().enumerate() {
        let place = format!("{place}, exception {}", at + 1);
        some(&place, "classes", exception.classes.len(), "the drug classes of the exception")?;
        some(&place, "genes", exception.genes.len(), "the genes of the exception")?;
        known_classes(catalogue, &place, &exception.classes)?;
        once(&place, "genes", &exception.genes)?;
        approved(catalogue, &place, "genes", &exception.genes)?;
        filled(&place, "why", &exception.why)?;
        filled(&place, "reference", &exception.reference)?;
        if let Some(gene) = exceptions[..at].iter().find_map(|other| said_twice(exception, other)) {
            return Err(Error::config(format!(
                "{place} repeats the state of {gene:?} for the same class of drugs"
            ))
            .with_help("keep one exception for each gene, state and class"));
        }
    }
    Ok(())
}

/// A gene that both exceptions list in the same state, for a common class.
fn said_twice<'a>(exception: &'a Exception, other: &Exception) -> Option<&'a String> {
    let shared = exception.classes.iter().any(|class| other.classes.contains(class));
    let gene = exception.genes.iter().find(|gene| other.genes.contains(gene))?;
    (shared && exception.when == other.when).then_some(gene)
}

fn known_classes(catalogue: &Mechanisms, place: &str, ids: &[String]) -> Result<()> {
    once(place, "classes", ids)?;
    let known = |id: &String| id == ALL || catalogue.classes.iter().any(|class| class.id == *id);
    match ids.iter().find(|id| !known(id)) {
        None => Ok(()),
        Some(id) => Err(unknown_class(place, "classes", id, &catalogue.classes)),
    }
}

fn unknown_class(place: &str, key: &str, id: &str, classes: &[DrugClass]) -> Error {
    Error::parameter(&format!("{place}: {key}"), format!("{id:?}"), "the id of a [[class]]")
        .with_help(meant(id, classes.iter().map(|class| class.id.as_str())))
}

fn approved(catalogue: &Mechanisms, place: &str, key: &str, genes: &[String]) -> Result<()> {
    let known = |gene: &String| symbols::is_approved(gene) || catalogue.genes.also.contains(gene);
    match genes.iter().find(|gene| !known(gene)) {
        None => Ok(()),
        Some(gene) => Err(Error::parameter(
            &format!("{place}: {key}"),
            format!("{gene:?}"),
            "an approved HGNC gene symbol",
        )
        .with_help(symbols::advice(gene))),
    }
}

fn once(place: &str, key: &str, names: &[String]) -> Result<()> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match repeated(&names) {
        None => Ok(()),
        Some(name) => {
            Err(Error::config(format!("{place}: {key} names {name:?} twice")).with_help("keep one of them"))
        }
    }
}

fn filled(place: &str, key: &str, text: &str) -> Result<()> {
    some(place, key, text.trim().len(), "some text")
}

fn some(place: &str, key: &str, count: usize, expected: &str) -> Result<()> {
    if count > 0 {
        return Ok(());
    }
    Err(Error::config(format!("{place}: {key} is empty: expected {expected}"))
        .with_help(format!("fill in {key}")))
}

/// The first repeated name.
fn repeated<'a>(names: &[&'a str]) -> Option<&'a str> {
    names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| *name)
}
