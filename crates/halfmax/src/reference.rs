//! The reference of configurations and families, generated from the doc comments of the structs: pages of the book, the JSON schema for
//! editors, and the entry of one key.

use std::fmt::Write as _;

use schemars::{Schema, schema_for};
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::families::{FAMILIES, Family, FamilyKind};

/// The JSON schema of a configuration, with the parameters of every family.
pub fn configuration_schema() -> Value {
    let mut root = schema_for!(Config).to_value();
    let mut families = Vec::new();
    let mut definitions = Map::new();
    for family in FAMILIES {
        let mut own = family.schema().map_or_else(|| json!({}), Schema::to_value);
        definitions.extend(taken(&mut own, "$defs"));
        let mut properties = taken(&mut own, "properties");
        properties
            .insert("family".into(), json!({ "const": family.name(), "description": family.summary() }));
        properties.insert("name".into(), json!({ "type": "string", "description": NAME }));
        families.push(json!({
            "title": family.name(),
            "description": family.summary(),
            "type": "object",
            "properties": properties,
            "required": ["family"],
            "additionalProperties": false,
        }));
    }
    if let Some(model) = root.pointer_mut("/properties/model/items") {
        *model = json!({ "oneOf": families });
    }
    if let Some(Value::Object(own)) = root.get_mut("$defs") {
        own.extend(definitions);
    }
    root
}

/// [`configuration_schema`] as the text of a file.
pub fn configuration_schema_text() -> String {
    format!("{:#}\n", configuration_schema())
}

/// The description of the key "name" of every model.
const NAME: &str = "Name of the model in results. Default: its family.";

/// Removes a map from a schema.
fn taken(schema: &mut Value, key: &str) -> Map<String, Value> {
    match schema.get_mut(key).map(Value::take) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// A key of a configuration.
#[derive(Clone, Debug)]
struct Key {
    /// The full name: "data.drug_features.targets".
    path: String,
    kind: String,
    default: Option<Value>,
    meaning: String,
    /// The allowed values, with their meanings.
    values: Vec<(String, String)>,
    required: bool,
}

/// A table of a configuration, with its keys.
struct Section {
    /// "data.drug_features".
    path: String,
    /// Whether the table may occur several times.
    repeated: bool,
    meaning: String,
    keys: Vec<Key>,
}

/// Reads schemas with their definitions.
struct Reader<'a> {
    definitions: &'a Map<String, Value>,
}

impl Reader<'_> {
    /// A schema, with references replaced by their definitions.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let name = reference.and_then(|own| own.strip_prefix("#/$defs/"));
        name.and_then(|name| self.definitions.get(name)).unwrap_or(schema)
    }

    /// The alternatives for a value, without "null".
    fn present<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let Some(choices) = schema.get("anyOf").and_then(Value::as_array) else {
            return self.resolved(schema);
        };
        let mut some = choices.iter().filter(|own| own.get("type").and_then(Value::as_str) != Some("null"));
        match (some.next(), some.next()) {
            (Some(only), None) => self.resolved(only),
            _ => schema,
        }
    }

    fn key(&self, path: &str, name: &str, schema: &Value, required: bool) -> Key {
        let own = self.present(schema);
        let said = |schema: &Value| schema.get("description").and_then(Value::as_str).map(plain);
        let path = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        Key {
            path,
            kind: self.kind(own),
            default: schema.get("default").filter(|value| !value.is_null()).cloned(),
            meaning: said(schema).or_else(|| said(own)).unwrap_or_default(),
            values: values(own),
            required,
        }
    }

    fn kind(&self, schema: &Value) -> String {
        let own = self.present(schema);
        if !values(own).is_empty() {
            return "one of the values below".into();
        }
        if let Some(choices) = own.get("anyOf").and_then(Value::as_array) {
            let is_file =
                |choice: &Value| choice.get("$ref").and_then(Value::as_str) == Some("#/$defs/FileTable");
            if choices.iter().any(is_file) {
                return "[file](#a-file)".into();
            }
            let names: Vec<String> = choices.iter().map(|choice| self.kind(choice)).collect();
            return names.join(" or ");
        }
        let one = match own.get("type") {
            Some(Value::String(one)) => one.as_str(),
            Some(Value::Array(several)) => {
                several.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
            }
            _ => "",
        };
        match one {
            "string" => "text".into(),
            "integer" => "whole number".into(),
            "number" => "number".into(),
            "boolean" => "true or false".into(),
            "array" => match own.get("items") {
                Some(items) => format!("list of: {}", self.kind(items)),
                None => "list".into(),
            },
            "object" => "table".into(),
            _ => "any value".into(),
        }
    }

    /// The table under a key: its schema, and whether it may occur several times.
    fn table<'a>(&'a self, schema: &'a Value) -> Option<(&'a Value, bool)> {
        let own = self.present(schema);
        if own.get("properties").is_some() {
            return Some((own, false));
        }
        let items = self.present(own.get("items")?);
        items.get("properties").map(|_| (items, true))
    }

    fn sections(&self, path: &str, schema: &Value, repeated: bool, into: &mut Vec<Section>) {
        let Some(Value::Object(properties)) = schema.get("properties") else { return };
        let required: Vec<&str> = match schema.get("required").and_then(Value::as_array) {
            Some(names) => names.iter().filter_map(Value::as_str).collect(),
            None => Vec::new(),
        };
        let mut section = Section {
            path: path.to_owned(),
            repeated,
            meaning: schema.get("description").and_then(Value::as_str).map(plain).unwrap_or_default(),
            keys: Vec::new(),
        };
        let mut below = Vec::new();
        for (name, schema) in properties {
            match self.table(schema) {
                Some(table) => below.push((name, table)),
                None => section.keys.push(self.key(path, name, schema, required.contains(&name.as_str()))),
            }
        }
        into.push(section);
        for (name, (schema, repeated)) in below {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.sections(&path, schema, repeated, into);
        }
    }
}

/// The values that a schema lists, with their meanings.
fn values(schema: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let meaning = |own: &Value| own.get("description").and_then(Value::as_str).map(plain).unwrap_or_default();
    if let Some(choices) = schema.get("enum").and_then(Value::as_array) {
        return choices.iter().map(|value| (text(value), String::new())).collect();
    }
    let Some(choices) = schema.get("oneOf").and_then(Value::as_array) else { return Vec::new() };
    let mut all = Vec::new();
    for choice in choices {
        match (choice.get("const"), choice.get("enum").and_then(Value::as_array)) {
            (Some(value), _) => all.push((text(value), meaning(choice))),
            // Alternative names of one value, if it has a description.
            (None, Some(several)) if choice.get("description").is_some() => {
                let names: Vec<String> = several.iter().map(text).collect();
                all.push((names.join(" or "), meaning(choice)));
            }
            (None, Some(several)) => all.extend(several.iter().map(|value| (text(value), String::new()))),
            (None, None) => {
                let keys = choice.get("properties").and_then(Value::as_object);
                let form = keys.into_iter().flat_map(Map::keys).map(|key| format!("{{ {key} = … }}"));
                all.extend(form.map(|form| (form, meaning(choice))));
            }
        }
    }
    all
}

/// A documentation comment as plain text: links to items become their names.
fn plain(text: &str) -> String {
    let joined = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let mut plain = String::with_capacity(joined.len());
    let mut rest = joined.as_str();
    while let Some(at) = rest.find("[`") {
        plain.push_str(&rest[..at]);
        let Some((item, after)) = rest[at + 2..].split_once("`]") else {
            plain.push_str(&rest[at..]);
            return plain;
        };
        let name = item.rsplit("::").next().unwrap_or(item);
        plain.push_str(name);
        // The target of a link, if given.
        rest = match after.strip_prefix('(').and_then(|after| after.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain.push_str(rest);
    // Examples are for Rust programs, so they are left out.
    plain.split(" ```").next().unwrap_or(&plain).trim().to_owned()
}

impl Key {
    fn name(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(&self.path)
    }

    /// The default in TOML notation.
    fn default_as_toml(&self) -> String {
        match &self.default {
            None if self.required => "required".into(),
            None => "–".into(),
            Some(Value::Object(fields)) if fields.is_empty() => "–".into(),
            Some(Value::Array(items)) if items.is_empty() => "`[]`".into(),
            Some(value) => format!("`{value}`"),
        }
    }

    fn row(&self) -> String {
        let cell = |text: &str| text.replace('|', "\\|");
        format!(
            "| `{}` | {} | {} | {} |\n",
            self.name(),
            cell(&self.kind),
            cell(&self.default_as_toml()),
            cell(&self.meaning)
        )
    }
}

/// A table of keys, followed by the values of each key that lists values.
fn keys_in_markdown(keys: &[Key]) -> String {
    let mut text = String::from("| key | value | default | meaning |\n|---|---|---|---|\n");
    keys.iter().for_each(|key| text += &key.row());
    for key in keys.iter().filter(|key| !key.values.is_empty()) {
        let _ = writeln!(text, "\nValues of `{}`:\n", key.name());
        for (value, meaning) in &key.values {
            let _ = match meaning.is_empty() {
                true => writeln!(text, "- `{value}`"),
                false => writeln!(text, "- `{value}`: {meaning}"),
            };
        }
    }
    text
}

const GENERATED: &str = "<!-- Generated from the code: cargo xtask reference -->\n";

/// The sections of a schema, and the sections of one definition under another name.
fn sections_of(schema: Schema, path: &str, definition: Option<(&str, &str)>) -> Vec<Section> {
    let root = schema.to_value();
    let none = Map::new();
    let reader = Reader { definitions: root.get("$defs").and_then(Value::as_object).unwrap_or(&none) };
    let mut sections = Vec::new();
    reader.sections(path, &root, false, &mut sections);
    if let Some((name, path)) = definition
        && let Some(schema) = reader.definitions.get(name)
    {
        reader.sections(path, schema, false, &mut sections);
    }
    sections
}

/// The sections of a configuration, without its models.
fn sections() -> Vec<Section> {
    sections_of(schema_for!(Config), "", Some(("FileTable", "FILE")))
}

/// The parameters of a family.
fn parameters(family: &dyn Family) -> Vec<Section> {
    family.schema().map_or_else(Vec::new, |schema| sections_of(schema, "model", None))
}

/// The page of the book on every key of a configuration.
pub fn configuration_page() -> String {
    let mut text = format!(
        "# Configuration\n\n{GENERATED}\nA configuration is a TOML file. Paths in it are relative to the file. `halfmax init` writes one for your files, \
         `halfmax data check`\nexplains it, and `halfmax config --explain KEY` prints the entry of one key. `halfmax config --schema` prints a JSON \
         schema\nfor editors. The models (`[[model]]`) are on the page [Model families](families.md).\n"
    );
    for section in sections() {
        let heading = match (section.path.as_str(), section.repeated) {
            ("", _) => "Top level".to_owned(),
            ("FILE", _) => "A file".to_owned(),
            (path, true) => format!("`[[{path}]]`"),
            (path, false) => format!("`[{path}]`"),
        };
        let about = match section.path.as_str() {
            "" => String::new(),
            "FILE" => "A table can stand in place of the path of any file: `response = { file = \"screen.xlsx\", sheet = \
                       \"data\" }`. The same keys are part of `[[data.cells]]`.\n\n"
                .to_owned(),
            _ => format!("{}\n\n", section.meaning),
        };
        let _ = write!(text, "\n## {heading}\n\n{about}{}", keys_in_markdown(&section.keys));
    }
    text
}

/// The page of the book on every model family, with its parameters and defaults.
pub fn families_page() -> String {
    let mut text = format!(
        "# Model families\n\n{GENERATED}\nA model of a configuration is a table `[[model]]` with the key `family`, a `name` \
         (default: the family), and the\nparameters of the family. [Choose a model](../howto/choose-a-model.md) compares the families.\n\n| family | what it is |\n|---|---|\n"
    );
    for family in FAMILIES {
        let _ = writeln!(text, "| `{}` | {} |", family.name(), family.summary());
    }
    for family in FAMILIES.iter().filter(|family| family.kind() != FamilyKind::Naive) {
        let _ = write!(text, "\n## `{}`\n\n{}.\n", family.name(), capitalised(family.summary()));
        for section in parameters(*family) {
            if section.path != "model" {
                let brackets = if section.repeated { ["[[", "]]"] } else { ["[", "]"] };
                let _ = write!(
                    text,
                    "\n### `{}{}{}` of `{}`\n\n{}\n",
                    brackets[0],
                    section.path,
                    brackets[1],
                    family.name(),
                    section.meaning
                );
            }
            let _ = write!(text, "\n{}", keys_in_markdown(&section.keys));
        }
    }
    text + "\nThe naive families have no parameters.\n"
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// The entry of a key of a configuration: every key with that short name, or the key with that full name. Parameters of families have the
/// full name `model.FAMILY.KEY`, for example `model.boost.rounds`.
pub fn explain_key(key: &str) -> Vec<String> {
    let matches = |path: &str| path == key || path.rsplit('.').next() == Some(key);
    let mut found: Vec<String> = Vec::new();
    for section in sections() {
        if !section.path.is_empty() && section.path != "FILE" && section.path == key {
            let keys: Vec<&str> = section.keys.iter().map(Key::name).collect();
            found.push(format!("[{}]\n  {}\n  keys: {}", section.path, section.meaning, keys.join(", ")));
        }
        found.extend(section.keys.iter().filter(|own| matches(&own.path)).map(|own| own.in_words(&own.path)));
    }
    for family in FAMILIES {
        for section in parameters(*family) {
            let rest = section.path.strip_prefix("model").unwrap_or(&section.path);
            for own in &section.keys {
                let path = format!("model.{}{rest}.{}", family.name(), own.name());
                if matches(&path) {
                    found.push(own.in_words(&path));
                }
            }
        }
    }
    found
}

/// The names of all keys, for suggestions.
pub fn keys() -> Vec<String> {
    let of_families = FAMILIES.iter().flat_map(|family| parameters(*family));
    let all = sections().into_iter().chain(of_families);
    let mut names: Vec<String> =
        all.flat_map(|section| section.keys).map(|key| key.name().to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Key {
    fn in_words(&self, path: &str) -> String {
        let kind = if self.kind.starts_with("[file]") { "file" } else { &self.kind };
        let mut text = format!("{path}: {kind}");
        match &self.default {
            Some(default) if !default.is_null() => {
                let _ = write!(text, ", by default {default}");
            }
            _ if self.required => text += ", required",
            _ => {}
        }
        let _ = write!(text, "\n  {}", self.meaning);
        for (value, meaning) in &self.values {
            let _ = write!(text, "\n    {value}");
            if !meaning.is_empty() {
                let _ = write!(text, ": {meaning}");
            }
        }
        text
    }
}
