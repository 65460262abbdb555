//! Layouts: the shapes in which tables of this field are published, as data. Each entry says which roles a table must
//! have, which it may have, and what it holds. Recognition, the messages about missing roles, and the list in
//! `docs/layouts.md` all use these entries.
//!
//! A new layout is one entry and one fixture.

use serde::Serialize;

use crate::roles::Role;
use crate::table::RawTable;

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Yields {
    /// Responses of cell lines to single drugs.
    Responses,
    /// Responses of cell lines to combinations of two drugs.
    Combinations,
    /// Readings at doses of single drugs.
    Readings,
    /// Readings at doses of two drugs.
    DoseMatrices,
    /// Raw signals of plates with control wells.
    Plates,
    /// Mutations, one per row.
    Mutations,
    /// Names and ids of cell lines.
    Annotation,
    /// Names, structures and targets of drugs.
    Drugs,
    /// Features of drugs.
    DrugFeatures,
    /// Folds.
    Folds,
    /// Cell lines and drugs to score.
    Wanted,
    /// Observed and predicted responses.
    Predictions,
    /// Names of genes.
    GeneNames,
}

impl Yields {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Responses => "responses",
            Self::Combinations => "combinations",
            Self::Readings => "readings",
            Self::DoseMatrices => "dose matrices",
            Self::Plates => "raw plates",
            Self::Mutations => "list of mutations",
            Self::Annotation => "annotation of cell lines",
            Self::Drugs => "drugs",
            Self::DrugFeatures => "drug features",
            Self::Folds => "folds",
            Self::Wanted => "list to score",
            Self::Predictions => "predictions",
            Self::GeneNames => "names of genes",
        }
    }
}

/// A layout.
pub struct Layout {
    /// Its name, as `layout = "…"` takes it.
    pub name: &'static str,
    /// What it holds.
    pub yields: Yields,
    /// Required roles; any one role of an inner list is enough.
    pub needs: &'static [&'static [Role]],
    /// Optional roles.
    pub takes: &'static [Role],
    /// Roles that exclude this layout, because another layout fits better.
    pub lacks: &'static [Role],
    /// Who publishes tables like it.
    pub seen_in: &'static str,
}

/// The layouts, specific ones before general ones.
pub static LAYOUTS: [Layout; 17] = [
    Layout {
        name: "growth_matrix",
        yields: Yields::DoseMatrices,
        needs: &[&[Role::DrugA], &[Role::DoseA], &[Role::DrugB], &[Role::DoseB], &[Role::Reading]],
        takes: &[
            Role::CellLine,
            Role::DoseUnitA,
            Role::DoseUnitB,
            Role::DoseUnit,
            Role::Block,
            Role::Plate,
            Role::Experiment,
            Role::Replicate,
            Role::Study,
        ],
        lacks: &[],
        seen_in: "DrugComb, SynergyFinder, O'Neil, NCI-ALMANAC (ComboDrugGrowth)",
    },
    Layout {
        name: "raw_plates",
        yields: Yields::Plates,
        needs: &[&[Role::WellKind], &[Role::Signal], &[Role::Dose], &[Role::Drug]],
        takes: &[Role::CellLine, Role::Plate, Role::Well, Role::DoseUnit, Role::Time, Role::Replicate],
        lacks: &[],
        seen_in: "GDSC raw data (BARCODE, TAG, CONC, INTENSITY)",
    },
    Layout {
        name: "counts_with_controls",
        yields: Yields::Plates,
        needs: &[&[Role::CellLine], &[Role::Drug], &[Role::Dose], &[Role::Signal]],
        takes: &[
            Role::Control,
            Role::TimeZero,
            Role::Time,
            Role::DoseUnit,
            Role::Plate,
            Role::Replicate,
            Role::Divisions,
        ],
        lacks: &[],
        seen_in: "GR metrics (cell_count, cell_count__ctrl, cell_count__time0), LINCS",
    },
    Layout {
        name: "readings",
        yields: Yields::Readings,
        needs: &[&[Role::CellLine], &[Role::Drug], &[Role::Dose], &[Role::Reading]],
        takes: &[Role::DoseUnit, Role::Divisions, Role::Experiment, Role::Plate, Role::Replicate, Role::Time],
        lacks: &[],
        seen_in: "CTRP (per-compound viabilities), PRISM, O'Neil (single agents)",
    },
    Layout {
        name: "curves_in_rows",
        yields: Yields::Readings,
        needs: &[&[Role::CellLine], &[Role::Drug], &[Role::DoseList], &[Role::ReadingList]],
        takes: &[Role::Response, Role::Targets],
        lacks: &[],
        seen_in: "CCLE drug data (CCLE_NP24.2009)",
    },
    Layout {
        name: "combinations",
        yields: Yields::Combinations,
        needs: &[&[Role::CellLine], &[Role::DrugA], &[Role::DrugB], &[Role::Synergy, Role::Response]],
        takes: &[Role::Block, Role::Study, Role::Tissue, Role::Fold, Role::HighestDose, Role::Quality],
        lacks: &[],
        seen_in: "DrugComb summary, AstraZeneca-Sanger DREAM, O'Neil, DeepSynergy labels",
    },
    Layout {
        name: "predictions",
        yields: Yields::Predictions,
        needs: &[&[Role::CellLine], &[Role::Predicted]],
        takes: &[Role::Drug, Role::DrugA, Role::DrugB, Role::Response, Role::Fold],
        lacks: &[],
        seen_in: "halfmax, DrEvalPy, IMPROVE",
    },
    Layout {
        name: "responses",
        yields: Yields::Responses,
        needs: &[&[Role::CellLine], &[Role::Drug], &[Role::Response]],
        takes: &[
            Role::Tissue,
            Role::Smiles,
            Role::Targets,
            Role::TargetPathway,
            Role::LowestDose,
            Role::HighestDose,
            Role::Study,
            Role::Fold,
            Role::Metric,
            Role::Experiment,
            Role::Replicate,
        ],
        lacks: &[],
        seen_in: "GDSC fitted (8.4, 8.5), CTRP and PRISM curve tables, BeatAML, CoderData, TDC, DrEvalPy, PharmacoGx",
    },
    Layout {
        name: "mutations",
        yields: Yields::Mutations,
        needs: &[&[Role::CellLine], &[Role::Gene], &[Role::VariantClass]],
        takes: &[],
        lacks: &[Role::Drug],
        seen_in: "MAF, DepMap OmicsSomaticMutations, GDSC and Sanger mutation lists",
    },
    Layout {
        name: "folds",
        yields: Yields::Folds,
        needs: &[&[Role::CellLine, Role::Drug, Role::DrugA, Role::Tissue], &[Role::Fold]],
        takes: &[Role::CellLine, Role::Drug, Role::DrugA, Role::DrugB, Role::Tissue],
        lacks: &[Role::Response, Role::Synergy],
        seen_in: "split files of benchmarks",
    },
    Layout {
        name: "drugs",
        yields: Yields::Drugs,
        needs: &[&[Role::Drug], &[Role::Smiles, Role::Targets, Role::TargetPathway]],
        takes: &[Role::Smiles, Role::Targets, Role::TargetPathway],
        lacks: &[Role::CellLine],
        seen_in: "GDSC screened compounds, PRISM treatment info, CTRP meta_per_compound",
    },
    Layout {
        name: "annotation",
        yields: Yields::Annotation,
        needs: &[&[Role::CellLine], &[Role::Tissue]],
        takes: &[],
        lacks: &[Role::Drug, Role::DrugA, Role::Response, Role::Gene],
        seen_in: "DepMap Model.csv and sample_info.csv, Sanger model_list, CCLE annotations, GDSC Cell_Lines_Details",
    },
    Layout {
        name: "wanted_combinations",
        yields: Yields::Wanted,
        needs: &[&[Role::DrugA], &[Role::DrugB]],
        takes: &[Role::CellLine],
        lacks: &[Role::Synergy, Role::Response, Role::Reading],
        seen_in: "lists of combinations to score",
    },
    Layout {
        name: "wanted_pairs",
        yields: Yields::Wanted,
        needs: &[&[Role::CellLine], &[Role::Drug]],
        takes: &[],
        lacks: &[Role::Synergy, Role::Response, Role::Reading],
        seen_in: "lists of pairs to score",
    },
    Layout {
        name: "gene_names",
        yields: Yields::GeneNames,
        needs: &[&[Role::Gene]],
        takes: &[],
        lacks: &[Role::CellLine, Role::Drug],
        seen_in: "tables of symbols and ids",
    },
    Layout {
        name: "drug_features",
        yields: Yields::DrugFeatures,
        needs: &[&[Role::Drug]],
        takes: &[Role::Smiles],
        lacks: &[Role::CellLine, Role::Gene],
        seen_in: "fingerprints, descriptors, targets as columns",
    },
    Layout {
        name: "drug_names",
        yields: Yields::Drugs,
        needs: &[&[Role::Smiles]],
        takes: &[Role::Targets],
        lacks: &[Role::CellLine],
        seen_in: "lists of structures",
    },
];

/// How a table fits a layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The layout's name.
    pub layout: &'static str,
    /// What it holds.
    pub yields: Yields,
    /// The missing roles; any one role of an inner list would be enough.
    pub lacking: Vec<Vec<Role>>,
    /// The number of required roles that the table has.
    pub found: usize,
}

impl Fit {
    /// Whether no required role is missing.
    pub fn is_whole(&self) -> bool {
        self.lacking.is_empty()
    }

    /// The missing roles, in words: "doses, readings".
    pub fn lacks(&self) -> String {
        let words = |roles: &Vec<Role>| {
            let what: Vec<&str> = roles.iter().map(|role| role.what()).collect();
            what.join(" or ")
        };
        let all: Vec<String> = self.lacking.iter().map(words).collect();
        all.join(", ")
    }
}

impl Layout {
    /// How a table fits.
    pub fn fit(&self, table: &RawTable) -> Fit {
        let has = |role: &Role| has_role(table, *role);
        let lacking: Vec<Vec<Role>> =
            self.needs.iter().filter(|roles| !roles.iter().any(has)).map(|roles| roles.to_vec()).collect();
        Fit { layout: self.name, yields: self.yields, found: self.needs.len() - lacking.len(), lacking }
    }

    fn is_ruled_out(&self, table: &RawTable) -> bool {
        self.lacks.iter().any(|role| table.has_surely(*role))
    }
}

/// Whether a table has a role. The first drug of a pair may have the column name of a single drug.
fn has_role(table: &RawTable, role: Role) -> bool {
    let is_there = |role: Role| table.has_surely(role);
    match role {
        Role::DrugA => is_there(Role::DrugA) || (is_there(Role::Drug) && is_there(Role::DrugB)),
        Role::DoseA => is_there(Role::DoseA) || (is_there(Role::Dose) && is_there(Role::DoseB)),
        role => is_there(role),
    }
}

/// The layout that a table fits: the first layout of the list without a missing role.
pub fn best_layout(table: &RawTable) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| !layout.is_ruled_out(table) && layout.fit(table).is_whole())
}

/// The nearest layout of a table that fits none: the layout with the largest fraction of its required roles. Ties go to
/// the layout that requires more roles.
pub fn nearest_layout(table: &RawTable) -> Option<Fit> {
    let share = |fit: &Fit| fit.found as f64 / (fit.found + fit.lacking.len()) as f64;
    LAYOUTS
        .iter()
        .map(|layout| layout.fit(table))
        .filter(|fit| fit.found > 0 && !fit.is_whole())
        .max_by(|a, b| share(a).total_cmp(&share(b)).then(a.found.cmp(&b.found)))
}

/// The list of layouts and roles as a page of the documentation.
pub fn layouts_page() -> String {
    let mut page = String::from(PAGE_HEAD);
    for layout in &LAYOUTS {
        let needs: Vec<String> = layout
            .needs
            .iter()
            .map(|roles| {
                roles.iter().map(|role| format!("`{}`", role.key())).collect::<Vec<_>>().join(" or ")
            })
            .collect();
        let takes: Vec<String> = layout.takes.iter().map(|role| format!("`{}`", role.key())).collect();
        page.push_str(&format!(
            "| `{}` | {} | {} | {} | {} |\n",
            layout.name,
            layout.yields.name(),
            needs.join(", "),
            takes.join(", "),
            layout.seen_in
        ));
    }
    page.push_str(ROLES_HEAD);
    for spec in &crate::roles::ROLES {
        let names: Vec<String> = spec.names.iter().map(|name| format!("`{name}`")).collect();
        page.push_str(&format!("| `{}` | {} | {} |\n", spec.key, spec.what, names.join(", ")));
    }
    page
}

const PAGE_HEAD: &str = "# Layouts

The tables that halfmax recognises, by the roles of their columns. A table is of the first layout in this list that it fits.
This page is written from the program's own list, and a test compares the two.

| layout | holds | needs | uses where it is there | as published by |
|---|---|---|---|---|
";

const ROLES_HEAD: &str = "
Matrices (cell lines × features, cell lines × drugs, either way round) have no roles but that of their key column; they are
recognised by what their rows and columns are called. A list of one cell line, one gene and one number in each row is made a matrix.

# Roles

The names by which the column of a role is recognised, best first. Case, blanks, hyphens, underscores, dots and brackets do not matter.
A unit at the end of a name (`Dose (nM)`, `conc_uM`) is read as one. Names of one of several drugs are taken apart (`drug_b`, `Compound
2`, `Dose2 [nM]`, `CONCUNIT1`), so that they need no entry here.

| role | holds | names |
|---|---|---|
";
