//! Parameters that had other names: configurations and model files may use both.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;

use halfmax::{Config, FAMILIES, Family, FamilyKind, PreparedScreen, RunState, TrainedModel, train};
use halfmax_core::{Progress, Silent, StoredModel, Tuples};

/// Keeps every note.
#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Progress for Notes {
    fn step(&self, _done: usize, _total: usize) {}

    fn stopped(&self) -> bool {
        false
    }

    fn note(&self, note: &str) {
        self.0.lock().unwrap().push(note.to_owned());
    }
}

const DATA: &str = "[data]\ndataset = \"gdsc-core\"\n[split]\nkind = \"lco\"\n";

fn model_table(family: &dyn Family, params: &toml::Table) -> String {
    format!("{DATA}[[model]]\nfamily = \"{}\"\n{params}", family.name())
}

/// Every family with old names, and the parameters of its defaults.
fn renamed_families() -> impl Iterator<Item = (&'static dyn Family, toml::Table)> {
    FAMILIES.iter().copied().filter(|family| !family.renamed().is_empty()).map(|family| {
        let schema = family.schema().unwrap();
        let defaults = schema.get("properties").unwrap().as_object().unwrap();
        let mut params = toml::Table::new();
        for renamed in family.renamed() {
            let property = defaults
                .get(renamed.new)
                .unwrap_or_else(|| panic!("{}: {} is not a parameter", family.name(), renamed.new));
            assert!(defaults.get(renamed.old).is_none(), "{}: {} has both names", family.name(), renamed.old);
            let value = property.get("default").filter(|value| !value.is_null());
            let value = value.map_or(0.5.into(), |value| toml::Value::try_from(value).unwrap());
            params.insert(renamed.old.to_owned(), value);
        }
        (family, params)
    })
}

#[test]
fn a_configuration_with_old_names_is_read_with_a_note_of_each() {
    let mut families = 0;
    for (family, params) in renamed_families() {
        families += 1;
        let config = Config::parse(&model_table(family, &params), &[]).unwrap();
        assert_eq!(config.notes.len(), family.renamed().len(), "{}", family.name());
        for (renamed, note) in family.renamed().iter().zip(&config.notes) {
            assert_eq!(*note, renamed.note("[[model]] 1"));
        }
        // Both names of one parameter are refused.
        let mut both = params.clone();
        let first = family.renamed()[0];
        both.insert(first.new.to_owned(), both[first.old].clone());
        let error = Config::parse(&model_table(family, &both), &[]).unwrap_err();
        assert!(error.to_string().contains(first.old) && error.to_string().contains(first.new), "{error}");
        assert!(error.help().unwrap().contains(first.old));
    }
    assert_eq!(families, 4);
}

#[test]
fn a_search_takes_the_old_name_of_a_parameter() {
    let text =
        format!("{DATA}[[model]]\nfamily = \"kernel\"\n[tune]\nspace = {{ shrinkage = [0.1, 0.2] }}\n");
    let config = Config::parse(&text, &[]);
    assert!(config.is_ok(), "{:?}", config.err());
}

#[test]
fn the_second_study_is_read_under_both_names() {
    let parse = |key: &str| {
        Config::parse(&format!("[data]\ndataset = \"gdsc-core\"\n{key} = \"gdsc2\"\n"), &[]).unwrap()
    };
    let (old, new) = (parse("replicate"), parse("reference_study"));
    assert_eq!(old.data.reference_study, new.data.reference_study);
    assert!(new.data.reference_study.is_some() && new.notes.is_empty());
    assert!(old.notes[0].contains("`replicate` is now called `reference_study`"), "{:?}", old.notes);
    let both = Config::parse(
        "[data]\ndataset = \"gdsc-core\"\nreplicate = \"gdsc2\"\nreference_study = \"gdsc2\"\n",
        &[],
    );
    let message = both.unwrap_err().to_string();
    assert!(message.contains("replicate and reference_study are given"), "{message}");
    // The note reaches whoever loads the data.
    let heard = Notes::default();
    PreparedScreen::load(&old, &heard).unwrap();
    assert_eq!(heard.0.lock().unwrap()[0], old.notes[0]);
}

/// The stored form of a model as an earlier version wrote it.
fn as_before(family: &dyn Family, stored: &StoredModel) -> StoredModel {
    let mut before = stored.clone();
    let params = before.description.pointer_mut(family.stored_params()).unwrap().as_object_mut().unwrap();
    for renamed in family.renamed() {
        let value = params.remove(renamed.new).unwrap();
        params.insert(renamed.old.to_owned(), value);
    }
    before
}

#[test]
fn a_model_file_with_old_names_predicts_as_before() {
    let quick = |family: &dyn Family| match family.name() {
        "boost" => "rounds = 5\n",
        "neural" => "device = \"cpu\"\nensemble_size = 1\nepochs = 1\nhidden = [8]\nrank = 4\n",
        _ => "",
    };
    let state = RunState::in_memory(Vec::new());
    for (family, _) in renamed_families() {
        let text = format!("{DATA}[[model]]\nfamily = \"{}\"\n{}", family.name(), quick(family));
        let config = Config::parse(&text, &[]).unwrap();
        let screen = PreparedScreen::load(&config, &Silent).unwrap();
        let trained: TrainedModel = train(&config, &screen, &state, &Silent).unwrap().model;
        let stored = trained.fitted.stored().unwrap();
        let before = as_before(family, &stored);
        assert_ne!(before.description, stored.description, "{}", family.name());
        let read = halfmax::fitted(family.name(), &before).unwrap();
        assert_eq!(read.stored().unwrap(), stored, "{}", family.name());
        let tables = [screen.loaded.screen.table(0), screen.loaded.screen.table(1)];
        let query = halfmax_core::Query { tables: &tables, tuples: Tuples::Grid(&[&[0, 1, 2], &[0, 1]]) };
        assert_eq!(read.predict(&query).unwrap(), trained.fitted.predict(&query).unwrap());
        // A stack holds its members' descriptions inside its own.
        let member = serde_json::json!({
            "name": "a", "family": family.name(), "weight": 1.0, "description": before.description,
        });
        let tensors = before.tensors.iter().map(|(name, tensor)| (format!("0/{name}"), tensor.clone()));
        let description = serde_json::json!({ "mean": 0.0, "sides": 2, "members": [member] });
        let stack = StoredModel { description, tensors: tensors.collect() };
        let read = halfmax::fitted("stack", &stack).unwrap();
        assert_eq!(read.stored().unwrap().description["members"][0]["description"], stored.description);
    }
    assert!(FAMILIES.iter().any(|family| family.kind() == FamilyKind::Blend));
}
