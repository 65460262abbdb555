//! Roles of columns, and the names that identify them.
//!
//! A name is compared in its plain form (lower case; no blanks, hyphens, underscores, dots, brackets). Names of drugs,
//! doses and their units are also split into words, so that `drug_b`, `Compound 2`, `conc_c`, `Dose2 [nM]` and
//! `CONCUNIT2` need no separate entries.

use std::collections::HashMap;
use std::fmt;
use std::sync::OnceLock;

use halfmax_core::Quantity;
use serde::{Serialize, Serializer};

use crate::columns::plain;
use crate::reading_names::reading_name;
use crate::units::{DoseUnit, split_unit};

/// The role of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Cell lines or samples.
    CellLine,
    /// Drugs.
    Drug,
    /// First drugs of combinations.
    DrugA,
    /// Second drugs of combinations.
    DrugB,
    /// Third (and further) drugs.
    DrugC,
    /// Responses to single drugs.
    Response,
    /// Responses to combinations.
    Synergy,
    /// Doses.
    Dose,
    /// Doses of first drugs.
    DoseA,
    /// Doses of second drugs.
    DoseB,
    /// Doses of third drugs.
    DoseC,
    /// Units of doses.
    DoseUnit,
    /// Units of the doses of first drugs.
    DoseUnitA,
    /// Units of the doses of second drugs.
    DoseUnitB,
    /// Single readings of viability or inhibition.
    Reading,
    /// Raw signal: luminescence, fluorescence, absorbance, cell counts.
    Signal,
    /// The signal of untreated wells, beside each reading.
    Control,
    /// The signal at the time of treatment, beside each reading.
    TimeZero,
    /// The kind of a well: treated, control, blank.
    WellKind,
    /// The number of divisions of the control.
    Divisions,
    /// The time of a reading.
    Time,
    /// Numbers or names of dose matrices.
    Block,
    /// Plates.
    Plate,
    /// Experiments, batches.
    Experiment,
    /// Replicates.
    Replicate,
    /// Wells of plates: `A01`, or numbers along the rows.
    Well,
    /// Rows of plates.
    WellRow,
    /// Columns of plates.
    WellColumn,
    /// Studies, screens, datasets.
    Study,
    /// Names of measured quantities, one kind of measurement per row.
    Metric,
    /// Molecules.
    Smiles,
    /// Targets of drugs.
    Targets,
    /// Pathways that drugs act on.
    TargetPathway,
    /// Tissues.
    Tissue,
    /// Genes.
    Gene,
    /// Classes of variants.
    VariantClass,
    /// Folds.
    Fold,
    /// The lowest tested dose.
    LowestDose,
    /// The highest tested dose.
    HighestDose,
    /// Whether a row is the default entry of its entity.
    DefaultEntry,
    /// A judgement of quality.
    Quality,
    /// Predicted responses.
    Predicted,
    /// Doses of a whole curve in one entry.
    DoseList,
    /// Readings of a whole curve in one entry.
    ReadingList,
}

/// The treatment of a column whose role the reader does not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// It names a measured entity.
    Entity,
    /// It is a measurement.
    Measure,
    /// It distinguishes measurements that must not be pooled.
    Separating,
    /// It distinguishes repeats, which are pooled with a note.
    Repeat,
    /// It only describes and can be left out.
    Describing,
}

/// A role: its key in configurations, its content in words, and the names that identify it, best first.
pub struct RoleSpec {
    /// The role.
    pub role: Role,
    /// Its key: `[data.columns] cell_line = "…"`.
    pub key: &'static str,
    /// The content of its column, in the plural: "cell lines".
    pub what: &'static str,
    /// The treatment of its column if the reader does not use it.
    pub nature: Nature,
    /// Names, best first.
    pub names: &'static [&'static str],
}

const fn spec(
    role: Role,
    key: &'static str,
    what: &'static str,
    nature: Nature,
    names: &'static [&'static str],
) -> RoleSpec {
    RoleSpec { role, key, what, nature, names }
}

/// Every role.
pub static ROLES: [RoleSpec; 44] = [
    spec(
        Role::CellLine,
        "cell_line",
        "cell lines",
        Nature::Entity,
        &[
            "CELL_LINE_NAME",
            "cell_line",
            "cell",
            "cell_name",
            "cell line display name",
            "SAMPLE_NAME",
            "stripped_cell_line_name",
            "Primary Cell Line Name",
            "CELL_LINES",
            "ccl_name",
            "CLEANNAME",
            "line",
            "model_name",
            "cell_line_id",
            "cell_id",
            "COSMIC_ID",
            "cosmic",
            "COSMIC_SAMPLE_ID",
            "COSMIC identifier",
            "SANGER_MODEL_ID",
            "depmap_id",
            "ModelID",
            "arxspan_id",
            "RRID",
            "cellosaurus_id",
            "improve_sample_id",
            "CCLE Cell Line Name",
            "CCLE_Name",
            "CCLE_ID",
            "dbgap_rnaseq_sample",
            "lab_id",
            "sampleid",
            "sample",
            "specimen",
            "patient_id",
            "Tumor_Sample_Barcode",
            "Tumor_Sample_ID",
            "model",
            "Channel",
            "biosample",
            "organoid",
            "master_ccl_id",
            "ccle_model_id",
        ],
    ),
    spec(
        Role::Drug,
        "drug",
        "drugs",
        Nature::Entity,
        &[
            "DRUG_NAME",
            "drug",
            "compound",
            "compound_name",
            "inhibitor",
            "agent",
            "treatment",
            "cpd_name",
            "chemical_name",
            "perturbagen",
            "Name",
            "pert_iname",
            "drug_id",
            "compound_id",
            "treatment_id",
            "improve_drug_id",
            "improve_chem_id",
            "chem_name",
            "broad_id",
            "master_cpd_id",
            "NSC",
            "pubchem_id",
            "pubchem_cid",
            "cid",
            "molecule",
            "substance",
            "dname",
            "drugs",
            "Compound (code or generic name)",
            "inchikey",
        ],
    ),
    spec(
        Role::DrugA,
        "drug_a",
        "first drugs",
        Nature::Entity,
        &["drug_row", "RowName", "anchor_name", "anchor"],
    ),
    spec(
        Role::DrugB,
        "drug_b",
        "second drugs",
        Nature::Separating,
        &[
            "drug_col",
            "drug_column",
            "ColName",
            "ColumnName",
            "library_name",
            "library",
            "combination_drug",
            "partner",
        ],
    ),
    spec(Role::DrugC, "drug_c", "third drugs", Nature::Separating, &[]),
    spec(
        Role::Response,
        "response",
        "responses",
        Nature::Measure,
        &[
            "LN_IC50",
            "log_ic50",
            "log10_ic50",
            "pIC50",
            "AUC",
            "AAC",
            "area_under_curve",
            "ActArea",
            "activity_area",
            "fit_auc",
            "auc1",
            "dss",
            "dss1",
            "dss2",
            "dss3",
            "IC50",
            "EC50",
            "GR50",
            "GRmax",
            "gr_aoc",
            "GI50",
            "ln_ec50",
            "log_ec50",
            "pEC50",
            "log10_ec50",
            "viability_score",
            "lfc",
            "log_fold_change",
            "z_score",
            "response",
            "sensitivity",
            "label",
            "Y",
            "dose_response_value",
            "drug_response",
            "effect_size",
            "emax",
            "einf",
            "amax",
            "fit_ic50",
            "fit_ec50",
        ],
    ),
    spec(
        Role::Synergy,
        "synergy",
        "responses to combinations",
        Nature::Measure,
        &[
            "synergy",
            "synergy_score",
            "synergy_loewe",
            "synergy_zip",
            "synergy_bliss",
            "synergy_hsa",
            "loewe",
            "zip",
            "bliss",
            "hsa",
            "css_ri",
            "css",
            "loewe_score",
            "zip_score",
            "bliss_score",
            "hsa_score",
            "comboscore",
            "S_mean",
            "S_sum",
            "S_max",
            "excess_bliss",
            "bliss_excess",
            "delta_bliss",
            "score",
            "ri",
            "ci",
            "label",
            "Y",
        ],
    ),
    spec(
        Role::Dose,
        "dose",
        "doses",
        Nature::Separating,
        &[
            "dose",
            "conc",
            "concentration",
            "doses",
            "final_conc",
            "drug_conc",
            "drug_dose",
            "well_concentration",
            "cpd_conc_umol",
            "treatment_dose",
            "dosage",
        ],
    ),
    spec(
        Role::DoseA,
        "dose_a",
        "doses of the first drug",
        Nature::Separating,
        &["conc_r", "conc_row", "row_conc", "conc_row_um"],
    ),
    spec(
        Role::DoseB,
        "dose_b",
        "doses of the second drug",
        Nature::Separating,
        &["conc_c", "conc_col", "conc_column", "col_conc"],
    ),
    spec(Role::DoseC, "dose_c", "doses of the third drug", Nature::Separating, &[]),
    spec(
        Role::DoseUnit,
        "dose_unit",
        "units of doses",
        Nature::Separating,
        &[
            "dose_unit",
            "conc_unit",
            "concentration_unit",
            "unit",
            "units",
            "dose_units",
            "conc_units",
            "concentration_units",
            "conc_uom",
            "dose_uom",
        ],
    ),
    spec(
        Role::DoseUnitA,
        "dose_unit_a",
        "units of the first drug's doses",
        Nature::Separating,
        &["conc_r_unit", "conc_row_unit", "unit_row", "conc_unit_row"],
    ),
    spec(
        Role::DoseUnitB,
        "dose_unit_b",
        "units of the second drug's doses",
        Nature::Separating,
        &["conc_c_unit", "conc_col_unit", "conc_column_unit", "unit_col", "conc_unit_col"],
    ),
    spec(
        Role::Reading,
        "reading",
        "readings",
        Nature::Measure,
        &[
            "viability",
            "inhibition",
            "viability_percent",
            "percent_viability",
            "inhibition_percent",
            "percent_inhibition",
            "relative_viability",
            "normalized_viability",
            "normalised_viability",
            "avg_viability",
            "pct_viability",
            "pct_inhibition",
            "percentgrowth",
            "growth_percent",
            "cpd_avg_pv",
            "cpd_pred_pv",
            "survival",
            "survival_percent",
            "percent_survival",
            "growth_inhibition",
            "relative_cell_count",
            "relative_count",
            "normalized_intensity",
            "normalised_intensity",
            "mortality",
            "cell_death",
            "percent_control",
            "percent_of_control",
            "response",
            "efficacy",
            "effect",
            "E",
            "activity",
        ],
    ),
    spec(
        Role::Signal,
        "signal",
        "raw signals",
        Nature::Measure,
        &[
            "signal",
            "intensity",
            "luminescence",
            "fluorescence",
            "absorbance",
            "raw",
            "raw_signal",
            "raw_intensity",
            "raw_value",
            "cell_count",
            "count",
            "cells",
            "rlu",
            "rfu",
            "od",
            "counts",
            "raw_viability",
            "raw_data",
            "od_value",
        ],
    ),
    spec(
        Role::Control,
        "control",
        "signals of untreated wells",
        Nature::Measure,
        &[
            "cell_count__ctrl",
            "control",
            "ctrl",
            "control_signal",
            "dmso_signal",
            "negative_control",
            "vehicle_signal",
            "control_mean",
            "mean_control",
            "ctrl_signal",
            "control_intensity",
            "dmso",
            "neg_control",
            "untreated",
        ],
    ),
    spec(
        Role::TimeZero,
        "time_zero",
        "signals when the drug was given",
        Nature::Measure,
        &[
            "cell_count__time0",
            "time0",
            "t0",
            "day0",
            "count_t0",
            "signal_t0",
            "cell_count_t0",
            "timezero",
            "tzvalue",
            "initial_count",
        ],
    ),
    spec(
        Role::WellKind,
        "well_kind",
        "kinds of wells",
        Nature::Separating,
        &[
            "well_kind",
            "well_type",
            "tag",
            "role",
            "control_type",
            "pert_type",
            "type_of_well",
            "sample_type",
            "kind",
            "kind_of_well",
            "well_role",
            "well_class",
            "well_content",
        ],
    ),
    spec(
        Role::Divisions,
        "divisions",
        "divisions of the control",
        Nature::Measure,
        &["divisions", "division_number", "doublings", "control_divisions", "population_doublings"],
    ),
    spec(
        Role::Time,
        "time",
        "times",
        Nature::Separating,
        &[
            "time",
            "time_h",
            "timepoint",
            "hours",
            "hour",
            "duration",
            "duration_h",
            "assay_time",
            "incubation",
            "incubation_h",
            "incubation_time",
            "exposure",
            "exposure_h",
            "exposure_time",
            "treatment_time",
            "time_hours",
            "day",
            "days",
            "duration_1",
            "assay_duration",
            "drug_exposure_time",
        ],
    ),
    spec(
        Role::Block,
        "block",
        "dose matrices",
        Nature::Separating,
        &[
            "block_id",
            "block",
            "matrix",
            "matrix_id",
            "PairIndex",
            "pair_id",
            "combo_id",
            "combination_id",
            "block_index",
        ],
    ),
    spec(
        Role::Plate,
        "plate",
        "plates",
        Nature::Repeat,
        &[
            "plate",
            "barcode",
            "plate_id",
            "assay_plate",
            "plate_barcode",
            "det_plate",
            "research_project_barcode",
            "plate_map",
            "scan_id",
            "plate_number",
        ],
    ),
    spec(
        Role::Experiment,
        "experiment",
        "experiments",
        Nature::Repeat,
        &[
            "experiment",
            "experiment_id",
            "batch",
            "run",
            "run_id",
            "expid",
            "exp",
            "batch_id",
            "culture",
            "assay_id",
            "date",
            "testdate",
            "experiment_date",
        ],
    ),
    spec(
        Role::Replicate,
        "replicate",
        "replicates",
        Nature::Repeat,
        &[
            "replicate",
            "rep",
            "replicate_id",
            "repeat",
            "biorep",
            "techrep",
            "biological_replicate",
            "technical_replicate",
        ],
    ),
    spec(
        Role::Well,
        "well",
        "wells of plates",
        Nature::Repeat,
        &["well", "well_id", "position", "well_position", "well_name", "well_number", "plate_well"],
    ),
    spec(
        Role::WellRow,
        "well_row",
        "rows of plates",
        Nature::Describing,
        &["well_row", "plate_row", "row_of_plate", "plate_row_id"],
    ),
    spec(
        Role::WellColumn,
        "well_column",
        "columns of plates",
        Nature::Describing,
        &["well_column", "plate_column", "well_col", "plate_col", "column_of_plate", "plate_column_id"],
    ),
    spec(
        Role::Study,
        "study",
        "studies",
        Nature::Separating,
        &[
            "study",
            "study_name",
            "dataset",
            "source",
            "screen_id",
            "data_source",
            "project",
            "screen",
            "study_id",
        ],
    ),
    spec(
        Role::Metric,
        "metric",
        "names of measurements",
        Nature::Separating,
        &[
            "dose_response_metric",
            "metric",
            "measure",
            "measurement",
            "response_type",
            "endpoint",
            "activity_type",
            "standard_type",
        ],
    ),
    spec(
        Role::Smiles,
        "smiles",
        "structures",
        Nature::Describing,
        &[
            "smiles",
            "SMILE",
            "canonical_smiles",
            "isosmiles",
            "isomeric_smiles",
            "cpd_smiles",
            "canSMILES",
            "structure",
            "drug_smiles",
            "smiles_string",
        ],
    ),
    spec(
        Role::Targets,
        "targets",
        "targets",
        Nature::Describing,
        &[
            "targets",
            "target",
            "putative_target",
            "drug_target",
            "gene_symbol_of_protein_target",
            "target_or_activity_of_compound",
            "gene_target",
            "target_gene",
            "drug_targets",
            "repurposing_target",
        ],
    ),
    spec(
        Role::TargetPathway,
        "target_pathway",
        "target pathways",
        Nature::Describing,
        &[
            "target_pathway",
            "pathway_name",
            "pathway",
            "moa",
            "mechanism",
            "mechanism_of_action",
            "drug_class",
        ],
    ),
    spec(
        Role::Tissue,
        "tissue",
        "tissues",
        Nature::Describing,
        &[
            "tissue",
            "TISSUE_FACTOR",
            "tissue_type",
            "primary_tissue",
            "site",
            "tissue_descriptor",
            "OncotreeLineage",
            "lineage",
            "ccle_primary_site",
            "primary_site",
            "site_primary",
            "GDSC Tissue descriptor 1",
            "tcga_desc",
            "TCGA_LABEL",
            "cancer_type",
            "PrimaryOrMetastasis_tissue",
            "tissue_name",
            "primary_disease",
            "OncotreePrimaryDisease",
            "tissue_status",
            "histology_tissue",
        ],
    ),
    spec(
        Role::Gene,
        "gene",
        "genes",
        Nature::Entity,
        &[
            "Hugo_Symbol",
            "gene",
            "gene_symbol",
            "symbol",
            "GENE_SYMBOLS",
            "gene_name",
            "genes",
            "hgnc_symbol",
            "ensembl_id",
            "ensembl_gene",
            "ensembl_gene_id",
            "gene_id",
            "entrez",
            "entrez_id",
            "entrezgene",
            "Entrez_Gene_Id",
            "genetic_feature",
        ],
    ),
    spec(
        Role::VariantClass,
        "variant_class",
        "classes of variants",
        Nature::Describing,
        &[
            "Variant_Classification",
            "VariantInfo",
            "variant_class",
            "effect_class",
            "vep_effect",
            "MolecularConsequence",
            "consequence",
            "mutation_effect",
            "effect",
            "classification",
            "type",
            "mutation_type",
            "Description",
            "alteration_type",
        ],
    ),
    spec(Role::Fold, "fold", "folds", Nature::Separating, &["fold", "folds", "cv_fold", "split", "fold_id"]),
    spec(
        Role::LowestDose,
        "lowest_dose",
        "lowest doses tested",
        Nature::Describing,
        &["MIN_CONC", "lowest_conc", "min_dose", "lowest_dose", "min_concentration", "conc_min"],
    ),
    spec(
        Role::HighestDose,
        "highest_dose",
        "highest doses tested",
        Nature::Describing,
        &[
            "MAX_CONC",
            "highest_conc",
            "max_dose",
            "highest_dose",
            "max_concentration",
            "top_test_conc_umol",
            "conc_max",
            "maxc",
            "MAX_CONC_A",
            "MAX_CONC_B",
            "max_dose_a",
            "max_dose_b",
        ],
    ),
    spec(
        Role::DefaultEntry,
        "default_entry",
        "marks of default entries",
        Nature::Describing,
        &["IsDefaultEntryForModel", "IsDefaultEntryForMC", "is_default_entry", "default_entry", "isdefault"],
    ),
    spec(
        Role::Quality,
        "quality",
        "judgements of quality",
        Nature::Describing,
        &["QA", "qc", "quality", "passed_str_profiling", "qc_pass", "flag", "pass", "VALID", "snp_fp_status"],
    ),
    spec(
        Role::Predicted,
        "predicted",
        "predictions",
        Nature::Measure,
        &["predicted", "prediction", "pred", "y_pred", "predictions", "auc_pred", "ic50_pred", "estimated"],
    ),
    spec(
        Role::DoseList,
        "dose_list",
        "lists of doses",
        Nature::Measure,
        &["Doses (uM)", "doses_um", "dose_list", "concentrations"],
    ),
    spec(
        Role::ReadingList,
        "reading_list",
        "lists of readings",
        Nature::Measure,
        &[
            "Activity Data (median)",
            "activity_data",
            "responses",
            "viabilities",
            "reading_list",
            "activity_data_median",
        ],
    ),
];

impl Role {
    /// The description of the role.
    pub fn spec(self) -> &'static RoleSpec {
        // Every role has its entry: a test checks it.
        ROLES.iter().find(|spec| spec.role == self).unwrap_or(&ROLES[0])
    }

    /// The key of the role in configurations.
    pub fn key(self) -> &'static str {
        self.spec().key
    }

    /// The content of its column, in the plural.
    pub fn what(self) -> &'static str {
        self.spec().what
    }

    /// The role with this key.
    pub fn named(key: &str) -> Option<Self> {
        let key = plain(key);
        ROLES.iter().find(|spec| plain(spec.key) == key).map(|spec| spec.role)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

/// The fit of a name to a role; 0 is best.
pub type Rank = usize;

/// The rank of names that were split into words; listed names rank higher.
pub(crate) const TAKEN_APART: Rank = 100;

/// The possible roles of a column with this name, each with its rank, and the unit in the name.
pub(crate) fn roles_of(name: &str) -> (Vec<(Role, Rank)>, Option<DoseUnit>) {
    let (bare, unit) = split_unit(name);
    let mut found = by_list(name);
    if found.is_empty() && unit.is_some() {
        found = by_list(&bare);
    }
    if found.is_empty() && bare_of_fitter(name) != name {
        found = by_list(bare_of_fitter(name));
        found.retain(|(role, _)| matches!(role, Role::Response | Role::Synergy));
    }
    for role in by_grammar(&bare) {
        if found.iter().all(|(other, _)| *other != role) {
            found.push((role, 0));
        }
    }
    if reading_name(name).is_some() && found.iter().all(|(role, _)| *role != Role::Reading) {
        found.push((Role::Reading, TAKEN_APART));
    }
    // A column of one replicate ranks behind a column of all replicates, and behind replicates with lower numbers.
    if let (true, Some((of, number))) = (found.is_empty(), replicate_of(name)) {
        found.push((of, TAKEN_APART + 1 + number));
    }
    if found.is_empty() {
        found.extend(time_name(&bare).map(|role| (role, TAKEN_APART)));
    }
    if found.is_empty() {
        found.extend(response_name(name).map(|role| (role, TAKEN_APART)));
    }
    // A name for one of several drugs is not a name for a single drug.
    let member = found.iter().any(|(role, _)| matches!(role, Role::DrugA | Role::DrugB | Role::DrugC));
    if member {
        found.retain(|(role, _)| *role != Role::Drug);
    }
    (found, unit)
}

/// Words after the name of a response that say who fitted the curve.
const FITTERS: [&str; 5] = ["curvecurator", "recomputed", "published", "refitted", "refit"];

/// A response's name without the final word that says who fitted the curve: `LN_IC50_curvecurator`, `aac_recomputed`.
pub(crate) fn bare_of_fitter(name: &str) -> &str {
    match name.rsplit_once(['_', '.', ' ', '-']) {
        Some((bare, fitter)) if FITTERS.contains(&fitter.to_ascii_lowercase().as_str()) => bare,
        _ => name,
    }
}

/// Words before the number of a replicate.
const REPLICATE_WORDS: [&str; 5] = ["rep", "replicate", "repl", "r", "well"];
/// The highest plausible replicate number. Higher numbers mean something else.
const MOST_REPLICATES: usize = 99;

/// The role (reading or signal) and the number of a replicate column: 2 for `viability_rep2`.
fn replicate_of(name: &str) -> Option<(Role, usize)> {
    let (stem, number) = replicate_stem(name)?;
    let listed = by_list(stem).into_iter().map(|(role, _)| role);
    let role = listed.chain(reading_name(stem).map(|_| Role::Reading));
    let mut role = role.filter(|role| matches!(role, Role::Reading | Role::Signal));
    Some((role.next()?, number))
}

/// A name without its final replicate number, and that number.
pub(crate) fn replicate_stem(name: &str) -> Option<(&str, usize)> {
    let name = name.trim();
    let stem = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let number: usize = name[stem.len()..].parse().ok()?;
    let stem = stem.trim_end_matches(['_', '.', ' ', '-']);
    let lower = stem.to_ascii_lowercase();
    let word = REPLICATE_WORDS.iter().filter_map(|word| {
        let before = lower.strip_suffix(word)?;
        before.ends_with(['_', '.', ' ', '-']).then_some(before.len())
    });
    let stem = word.min().map_or(stem, |end| stem[..end].trim_end_matches(['_', '.', ' ', '-']));
    (!stem.is_empty() && (1..=MOST_REPLICATES).contains(&number)).then_some((stem, number))
}

fn by_list(name: &str) -> Vec<(Role, Rank)> {
    static LIST: OnceLock<HashMap<String, Vec<(Role, Rank)>>> = OnceLock::new();
    let list = LIST.get_or_init(|| {
        let mut list: HashMap<String, Vec<(Role, Rank)>> = HashMap::new();
        for spec in &ROLES {
            let names = spec.names.iter().copied().zip(0..).chain([(spec.key, 0)]);
            for (name, rank) in names {
                let roles = list.entry(plain(name)).or_default();
                if roles.iter().all(|(role, _)| *role != spec.role) {
                    roles.push((spec.role, rank));
                }
            }
        }
        list
    });
    list.get(&plain(name)).cloned().unwrap_or_default()
}

/// The position of a name's drug among several drugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    First,
    Second,
    Further,
}

/// The words of a name: `Drug1_ID` is `drug`, `1`, `id`; `CONCUNIT2` is `concunit`, `2`.
pub(crate) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut last: Option<char> = None;
    for letter in name.chars() {
        if !letter.is_alphanumeric() {
            last = None;
            continue;
        }
        let begins = match last {
            None => true,
            Some(last) => {
                last.is_numeric() != letter.is_numeric() || (last.is_lowercase() && letter.is_uppercase())
            }
        };
        if begins {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
        last = Some(letter);
    }
    words
}

/// Recognises names of times after treatment by their words: `assay_hours`, `Time (h)`, `incubation days`.
fn time_name(name: &str) -> Option<Role> {
    const TIME: [&str; 12] = [
        "hour",
        "hours",
        "hr",
        "hrs",
        "day",
        "days",
        "time",
        "timepoint",
        "duration",
        "incubation",
        "exposure",
        "timepoints",
    ];
    const REST: [&str; 12] =
        ["h", "d", "assay", "treatment", "drug", "point", "post", "after", "of", "in", "min", "length"];
    let words = words(name);
    let is_time = words.iter().any(|word| TIME.contains(&word.as_str()));
    let all = words.iter().all(|word| TIME.contains(&word.as_str()) || REST.contains(&word.as_str()));
    (is_time && all).then_some(Role::Time)
}

/// Recognises unlisted names of responses by the measured quantity: `AUC (%)`, `LN_IC50_curvecurator`.
fn response_name(name: &str) -> Option<Role> {
    let named = crate::target::read_name(name);
    match named.quantity {
        Quantity::Unknown => None,
        _ if named.accompanies => None,
        Quantity::Synergy | Quantity::CombinationIndex => Some(Role::Synergy),
        _ => Some(Role::Response),
    }
}

/// Recognises names of drugs, doses and units for one of several drugs by their words.
fn by_grammar(name: &str) -> Vec<Role> {
    const DRUG: [&str; 13] = [
        "drug",
        "drugs",
        "compound",
        "agent",
        "inhibitor",
        "cpd",
        "treatment",
        "nsc",
        "perturbagen",
        "molecule",
        "chemical",
        "medicine",
        "drugname",
    ];
    const DOSE: [&str; 9] = [
        "dose",
        "conc",
        "concentration",
        "doses",
        "dosage",
        "drugconc",
        "drugdose",
        "concs",
        "concentrations",
    ];
    const UNIT: [&str; 6] = ["unit", "units", "concunit", "doseunit", "concunits", "uom"];
    const REST: [&str; 9] = ["name", "id", "col", "row", "ids", "names", "column", "value", "final"];
    let words = words(name);
    let mut member = None;
    let (mut drug, mut dose, mut unit) = (false, false, false);
    for word in &words {
        let word = word.as_str();
        match word {
            "1" | "a" | "row" | "first" | "01" | "i" => member = member.or(Some(Member::First)),
            "2" | "b" | "col" | "column" | "second" | "02" | "ii" => member = member.or(Some(Member::Second)),
            "3" | "c" | "third" | "4" | "5" | "d" | "e" | "03" => member = member.or(Some(Member::Further)),
            word if DRUG.contains(&word) => drug = true,
            word if DOSE.contains(&word) => dose = true,
            word if UNIT.contains(&word) => unit = true,
            word if REST.contains(&word) => {}
            _ => return Vec::new(),
        }
    }
    // Beside conc_r, the dose of the row drug, conc_c is the dose of the column drug. Both are listed names.
    match (unit, dose, drug, member) {
        (true, _, _, Some(Member::First)) => vec![Role::DoseUnitA],
        (true, _, _, Some(Member::Second)) => vec![Role::DoseUnitB],
        (true, true, _, None) => vec![Role::DoseUnit],
        (false, true, _, Some(Member::First)) => vec![Role::DoseA],
        (false, true, _, Some(Member::Second)) => vec![Role::DoseB],
        (false, true, _, Some(Member::Further)) if name_is_listed(name) => Vec::new(),
        (false, true, _, Some(Member::Further)) => vec![Role::DoseC],
        (false, true, _, None) => vec![Role::Dose],
        (false, false, true, Some(Member::First)) => vec![Role::DrugA],
        (false, false, true, Some(Member::Second)) => vec![Role::DrugB],
        (false, false, true, Some(Member::Further)) => vec![Role::DrugC],
        (false, false, true, None) => vec![Role::Drug],
        _ => Vec::new(),
    }
}

fn name_is_listed(name: &str) -> bool {
    !by_list(name).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(name: &str) -> Vec<Role> {
        roles_of(name).0.into_iter().map(|(role, _)| role).collect()
    }

    #[test]
    fn every_role_has_one_entry_and_a_key_of_its_own() {
        for (at, spec) in ROLES.iter().enumerate() {
            assert_eq!(spec.role.spec().key, spec.key);
            assert!(ROLES[..at].iter().all(|other| other.key != spec.key), "{}", spec.key);
            assert_eq!(Role::named(spec.key), Some(spec.role));
        }
    }

    #[test]
    fn names_of_one_of_several_drugs_are_taken_apart() {
        for (name, role) in [
            ("Drug1_ID", Role::DrugA),
            ("drug_a_name", Role::DrugA),
            ("COMPOUND_A", Role::DrugA),
            ("Compound B", Role::DrugB),
            ("drug2id", Role::DrugB),
            ("NSC2", Role::DrugB),
            ("drug_row", Role::DrugA),
            ("drugB", Role::DrugB),
            ("inhibitor 3", Role::DrugC),
            ("drug3", Role::DrugC),
            ("dose2_um", Role::DoseB),
            ("CONC1", Role::DoseA),
            ("drug1.conc", Role::DoseA),
            ("conc_r", Role::DoseA),
            ("conc_c", Role::DoseB),
            ("drug_b_concentration", Role::DoseB),
            ("CONCUNIT2", Role::DoseUnitB),
            ("conc_unit1", Role::DoseUnitA),
            ("Dose (nM)", Role::Dose),
            ("concentration_nM", Role::Dose),
            ("conc_M", Role::Dose),
            ("Dose [uM]", Role::Dose),
            ("dose_units", Role::DoseUnit),
            ("conc3", Role::DoseC),
            ("Drug", Role::Drug),
            ("Compound", Role::Drug),
        ] {
            assert_eq!(roles(name), [role], "{name}");
        }
        assert!(roles("DRUG_TARGET").contains(&Role::Targets));
        for name in ["assay_hours", "Time (h)", "incubation days", "Hours post treatment"] {
            assert_eq!(roles(name), [Role::Time], "{name}");
        }
        assert_eq!(roles("doubling_time_hours"), []);
        assert_eq!(roles("AUC (%)"), [Role::Response]);
        assert_eq!(roles("drug_set"), []);
        assert_eq!(roles("ABCB1"), []);
        for name in ["LN_IC50_curvecurator", "aac_recomputed", "auc_published", "pEC50 refit"] {
            assert_eq!(roles(name), [Role::Response], "{name}");
        }
        assert_eq!(roles("drug_published"), []);
        for name in ["% Inhibition", "Viability (%)", "viability_fraction", "mean_viability"] {
            assert_eq!(roles(name), [Role::Reading], "{name}");
        }
    }
}
