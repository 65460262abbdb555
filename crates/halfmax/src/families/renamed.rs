//! Renamed parameters. Configurations and model files may still use the old names.

use std::borrow::Cow;

use halfmax_core::{Error, Result, StoredModel};
use serde_json::Value;

use super::{Family, FamilyKind, family_named};

/// A renamed parameter of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The old name.
    pub old: &'static str,
    /// The new name.
    pub new: &'static str,
}

impl Renamed {
    pub(super) const fn new(old: &'static str, new: &'static str) -> Self {
        Self { old, new }
    }

    /// The note on a configuration with the old name.
    pub fn note(self, place: &str) -> String {
        let Self { old, new } = self;
        format!("{place}: `{old}` is now called `{new}`; the old name still works")
    }

    /// The error for a configuration with both names.
    pub(crate) fn twice(self) -> Error {
        let Self { old, new } = self;
        Error::config(format!("{old} and {new} are given, the old and the new name of one parameter"))
            .with_help(format!("remove {old}"))
    }
}

/// Renames the old parameters of a table. Returns the renamed parameters.
pub(super) fn rename_keys(family: &dyn Family, table: &mut toml::Table) -> Result<Vec<Renamed>> {
    let mut found = Vec::new();
    for renamed in family.renamed() {
        let Some(value) = table.remove(renamed.old) else { continue };
        if table.insert(renamed.new.to_owned(), value).is_some() {
            return Err(renamed.twice());
        }
        found.push(*renamed);
    }
    Ok(found)
}

/// A stored model after its parameters are renamed.
pub(super) fn with_present_names<'a>(family: &dyn Family, stored: &'a StoredModel) -> Cow<'a, StoredModel> {
    if family.kind() != FamilyKind::Blend && family.renamed().is_empty() {
        return Cow::Borrowed(stored);
    }
    let mut description = stored.description.clone();
    rename_stored(family, &mut description);
    if description == stored.description {
        return Cow::Borrowed(stored);
    }
    Cow::Owned(StoredModel { description, tensors: stored.tensors.clone() })
}

fn rename_stored(family: &dyn Family, description: &mut Value) {
    if family.kind() == FamilyKind::Blend {
        let members = description.get_mut("members").and_then(Value::as_array_mut);
        for member in members.into_iter().flatten() {
            let own = member.get("family").and_then(Value::as_str).and_then(family_named);
            if let (Some(own), Some(description)) = (own, member.get_mut("description")) {
                rename_stored(own, description);
            }
        }
        return;
    }
    let Some(params) = description.pointer_mut(family.stored_params()).and_then(Value::as_object_mut) else {
        return;
    };
    for Renamed { old, new } in family.renamed() {
        if !params.contains_key(*new)
            && let Some(value) = params.remove(*old)
        {
            params.insert((*new).to_owned(), value);
        }
    }
}
