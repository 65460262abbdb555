//! A draft configuration for a few files: the role of each file, open questions, and suitable splits and models.

use std::path::{Component, Path, PathBuf};

use halfmax_core::{CellKind, Error, Result};
use halfmax_data::{Inspection, inspect, load};
use serde::Serialize;

use crate::config::Config;

/// A draft configuration for some files.
///
/// ```
/// use halfmax::DraftConfig;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("responses.csv");
/// let table = "cell_line,drug,LN_IC50\nA375,dabrafenib,-3.1\nMCF7,dabrafenib,2.4\nA375,nutlin,1.2\nMCF7,nutlin,0.3\n";
/// std::fs::write(&path, table)?;
/// let draft = DraftConfig::for_files(&[path], folder.path())?;
/// assert!(draft.text.contains("response = \"responses.csv\""));
/// assert_eq!(draft.taken[0].role, "responses");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DraftConfig {
    /// The configuration as TOML. Comments at its head list the open questions.
    pub text: String,
    /// The role of each file, or of each sheet of a workbook.
    pub taken: Vec<TakenFile>,
    /// The questions to answer before the configuration can be used.
    pub open: Vec<String>,
}

/// A file, or a sheet of a workbook, with its role.
#[derive(Clone, Debug, Serialize)]
pub struct TakenFile {
    /// The file.
    pub file: PathBuf,
    /// The sheet of a workbook.
    pub sheet: Option<String>,
    /// The role: responses, expression, drugs.
    pub role: String,
    /// The name of the file and the sheet in messages.
    #[serde(skip)]
    pub name: String,
}

impl DraftConfig {
    /// Inspects files (responses, features of cell lines, drugs, annotations, folds, in any order), and drafts a configuration for them.
    /// The configuration lies in `folder`.
    ///
    /// # Errors
    /// If a file cannot be read, or no file holds responses.
    pub fn for_files(files: &[PathBuf], folder: &Path) -> Result<Self> {
        let mut looked = Vec::new();
        for path in files {
            for found in inspect(path)? {
                looked.push(Looked { path: path.clone(), found });
            }
        }
        let taken = Taken::of(&looked);
        if taken.response.is_none() {
            return Err(nothing_to_predict(&looked));
        }
        let plain = taken.written(folder, &[]);
        let open = open_questions(&plain, folder);
        let text = taken.written(folder, &open);
        let taken = looked.into_iter().map(|one| TakenFile {
            file: one.path,
            sheet: one.found.sheet,
            role: one.found.shape.role,
            name: one.found.shape.file,
        });
        Ok(Self { text, taken: taken.collect(), open })
    }
}

/// A file, or a sheet of a workbook, with its role.
struct Looked {
    path: PathBuf,
    found: Inspection,
}

/// The files of a configuration, by role.
#[derive(Default)]
struct Taken<'a> {
    response: Option<&'a Looked>,
    reference_study: Option<&'a Looked>,
    combinations: bool,
    cells: Vec<&'a Looked>,
    drugs: Option<&'a Looked>,
    annotation: Option<&'a Looked>,
    single_agent: Option<&'a Looked>,
    folds: Option<&'a Looked>,
    gene_sets: Vec<&'a Looked>,
    /// Unused files, each with the reason.
    rest: Vec<(&'a Looked, String)>,
}

fn nothing_to_predict(looked: &[Looked]) -> Error {
    let roles: Vec<String> =
        looked.iter().map(|one| format!("{} ({})", one.found.shape.file, one.found.shape.role)).collect();
    let readings =
        looked.iter().find(|one| ["readings", "raw plates"].contains(&one.found.shape.role.as_str()));
    let error = Error::data(format!("none of the files holds responses: {}", roles.join(", ")));
    match readings {
        Some(one) => error.with_help(format!(
            "fit curves first: halfmax fit-curves {} --out curves.parquet",
            one.path.display()
        )),
        None => error.with_help(
            "add a table of responses: columns of cell lines, drugs and, for example, LN_IC50; halfmax data \
            inspect FILE shows what a file lacks",
        ),
    }
}

impl<'a> Taken<'a> {
    fn of(looked: &'a [Looked]) -> Self {
        let mut taken = Self::default();
        for one in looked {
            taken.add(one);
        }
        taken
    }

    fn add(&mut self, one: &'a Looked) {
        let role = one.found.shape.role.as_str();
        let again = |role: &str| format!("a second file with {role}");
        match role {
            "responses" | "combinations" => {
                let combinations = role == "combinations";
                if self.response.is_none() || (combinations && !self.combinations) {
                    if let Some(earlier) = self.response.replace(one) {
                        self.rest.push((earlier, "responses to single drugs beside combinations".into()));
                    }
                    self.combinations = combinations;
                    if let Some(earlier) = self.reference_study.take_if(|_| combinations) {
                        self.rest.push((earlier, "responses to single drugs beside combinations".into()));
                    }
                } else if !combinations && !self.combinations && self.reference_study.is_none() {
                    self.reference_study = Some(one);
                } else {
                    self.rest.push((one, again(role)));
                }
            }
            role if CellKind::named(kind_of(role)).is_some() => {
                let kind = kind_of(role);
                if self.cells.iter().any(|other| kind_of(&other.found.shape.role) == kind) {
                    self.rest.push((one, again(kind)));
                } else {
                    self.cells.push(one);
                }
            }
            "drugs" | "drug features" => fill(&mut self.drugs, &mut self.rest, one, again(role)),
            "annotation of cell lines" => fill(&mut self.annotation, &mut self.rest, one, again(role)),
            "folds" => fill(&mut self.folds, &mut self.rest, one, again(role)),
            "readings" => fill(
                &mut self.single_agent,
                &mut self.rest,
                one,
                "halfmax fit-curves turns it into responses".into(),
            ),
            "gene sets" => self.gene_sets.push(one),
            role => self.rest.push((one, role.to_owned())),
        }
    }

    /// The configuration as TOML. Comments at its head list the open questions.
    fn written(&self, folder: &Path, open: &[String]) -> String {
        let mut text = String::new();
        let mut line = |content: &str| {
            text.push_str(content);
            text.push('\n');
        };
        line("# Written by halfmax init. A line that begins with # is a comment or an inactive choice.");
        open.iter().for_each(|open| line(&format!("# TO DECIDE: {open}")));
        line("");
        line("[data]");
        if let Some(response) = self.response {
            response.remarks().iter().for_each(|remark| line(remark));
            line(&format!("response = {}", response.value(folder)));
        }
        if let Some(reference) = self.reference_study {
            line(
                "# A second table of responses, used as a repeat of the first, for the ceiling. Which table should the models learn?",
            );
            line(&format!("reference_study = {}", reference.value(folder)));
        }
        for (key, file) in [("drugs", self.drugs), ("annotation", self.annotation)] {
            if let Some(file) = file {
                file.remarks().iter().for_each(|remark| line(remark));
                line(&format!("{key} = {}", file.value(folder)));
            }
        }
        match self.single_agent {
            Some(file) if self.combinations => line(&format!("single_agent = {}", file.value(folder))),
            Some(file) => line(&format!(
                "# {} holds readings: halfmax fit-curves turns them into responses.",
                file.path.display()
            )),
            None => {}
        }
        for (file, why) in &self.rest {
            line(&format!("# Not used: {} ({why})", file.found.shape.file));
        }
        for file in &self.cells {
            line("");
            file.remarks().iter().for_each(|remark| line(remark));
            line("[[data.cells]]");
            line(&format!("kind = \"{}\"", kind_of(&file.found.shape.role)));
            line(&format!("file = {}", quoted(&relative(&file.path, folder))));
            if let Some(sheet) = &file.found.sheet {
                line(&format!("sheet = {}", quoted(sheet)));
            }
        }
        line("");
        self.split(folder, &mut line);
        self.models(folder, &mut line);
        text
    }

    fn split(&self, folder: &Path, line: &mut impl FnMut(&str)) {
        line("[split]");
        let structures = self.drugs.is_some();
        if let Some(folds) = self.folds {
            line("# The folds come from a file; the kind must name what the file holds out.");
            line(&format!("kind = \"{}\"", if self.combinations { "leave_combination" } else { "lco" }));
            line(&format!("file = {}", quoted(&relative(&folds.path, folder))));
        } else if self.combinations {
            line(
                "kind = \"leave_combination\"   # combinations that were not measured; leave_cell: new cell lines; leave_drug: new drugs",
            );
        } else if self.cells.is_empty() {
            line(
                "kind = \"lpo\"                 # pairs that were not measured; without features of cell lines, only these can \
                 be predicted",
            );
        } else {
            line(
                "kind = \"lco\"                 # new cell lines; lto: new tissues; lpo: pairs that were not measured",
            );
        }
        if !self.combinations && !structures {
            line("# ldo (new drugs) needs structures: a file of drugs with a column smiles.");
        } else if !self.combinations {
            line("# kind = \"ldo\" tests new drugs, from their structures and targets.");
        }
        line("");
    }

    fn models(&self, folder: &Path, line: &mut impl FnMut(&str)) {
        if !self.gene_sets.is_empty() {
            let sets: Vec<String> =
                self.gene_sets.iter().map(|sets| quoted(&relative(&sets.path, folder))).collect();
            line("[explain]");
            line(&format!("gene_sets = [{}]", sets.join(", ")));
            line("");
        }
        if self.cells.is_empty() && self.drugs.is_none() && !self.combinations {
            line("# Without features, the gaps of the screen are filled from its responses alone.");
            line("[[model]]\nfamily = \"completion\"");
            return;
        }
        line("# A Gaussian process over the whole screen; it needs no settings.");
        line("[[model]]\nfamily = \"kernel\"\n");
        line("# Boosted trees.");
        let vector = !self.combinations && !self.cells.is_empty();
        line(if vector {
            "[[model]]\nfamily = \"boost\"\ntrees = \"cell_vector\"\nrounds = 1000\nleaves = 4\nlearning_rate = 0.05\nfeature_fraction = 0.05"
        } else {
            "[[model]]\nfamily = \"boost\"\nrounds = 500\nleaves = 31\nlearning_rate = 0.05\nfeature_fraction = 0.2"
        });
    }
}

fn fill<'a>(
    place: &mut Option<&'a Looked>,
    rest: &mut Vec<(&'a Looked, String)>,
    one: &'a Looked,
    why: String,
) {
    if place.is_none() {
        *place = Some(one);
    } else {
        rest.push((one, why));
    }
}

/// The kind of features for the role of a file; the role itself if it names no other kind.
fn kind_of(role: &str) -> &str {
    if role == "list of mutations" { CellKind::MUTATION.name() } else { role }
}

impl Looked {
    /// The role of the file, as comments.
    fn remarks(&self) -> Vec<String> {
        let shape = &self.found.shape;
        let orientation =
            shape.orientation.as_ref().map(|orientation| format!(", {orientation}")).unwrap_or_default();
        let mut remarks = vec![format!(
            "# {} rows × {} columns, read as {}{orientation}",
            shape.rows, shape.columns, shape.role
        )];
        remarks.extend(self.found.columns_used.iter().map(|account| format!("# {account}")));
        remarks.extend(self.found.notes.iter().chain(&self.found.problems).map(|note| format!("# {note}")));
        // A line break in the text must not end the comment.
        remarks.iter().map(|remark| remark.replace(['\n', '\r'], " ")).collect()
    }

    /// The file as a value of a configuration.
    fn value(&self, folder: &Path) -> String {
        let path = quoted(&relative(&self.path, folder));
        match &self.found.sheet {
            None => path,
            Some(sheet) => format!("{{ file = {path}, sheet = {} }}", quoted(sheet)),
        }
    }
}

/// The questions to answer before the configuration can be used.
fn open_questions(text: &str, folder: &Path) -> Vec<String> {
    let base = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let loaded = Config::parse(text, &[]).and_then(|config| load(&config.data, &config.target, &base, None));
    let with_help = |error: &Error| {
        let help = error.help().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{error}{help}").replace(['\n', '\r'], " ")
    };
    match loaded {
        Err(error) => vec![with_help(&error)],
        Ok(loaded) => {
            loaded.report.warnings.iter().map(|warning| warning.replace(['\n', '\r'], " ")).collect()
        }
    }
}

/// A path relative to a folder, if both share a parent folder.
fn relative(path: &Path, folder: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let (path, folder) =
        (absolute(path), absolute(if folder.as_os_str().is_empty() { Path::new(".") } else { folder }));
    let (here, there): (Vec<Component>, Vec<Component>) =
        (folder.components().collect(), path.components().collect());
    let shared = here.iter().zip(&there).take_while(|(a, b)| a == b).count();
    // If they are far apart, the absolute path is clearer.
    if here.len() - shared > 3 {
        return path.display().to_string();
    }
    let up = std::iter::repeat_n("..".to_owned(), here.len() - shared);
    let down = there[shared..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
