//! The names under which columns are recognised.

/// Names of the column that holds cell lines, best first.
pub const CELL_LINE: [&str; 15] = [
    "CELL_LINE_NAME",
    "cell_line",
    "cell",
    "cell_name",
    "SAMPLE_NAME",
    "stripped_cell_line_name",
    "CELL_LINES",
    "COSMIC_ID",
    "cosmic",
    "COSMIC_SAMPLE_ID",
    "SANGER_MODEL_ID",
    "depmap_id",
    "model_id",
    "sample",
    "Channel",
];

/// Names of the column that holds COSMIC ids.
pub const COSMIC: [&str; 3] = ["COSMIC_ID", "cosmic", "COSMIC_SAMPLE_ID"];

/// Names of the column that holds drugs, best first.
pub const DRUG: [&str; 6] = ["DRUG_NAME", "drug", "compound", "compound_name", "Name", "drug_id"];

/// Names of the column that holds the first drug of a pair.
pub const DRUG_A: [&str; 5] = ["drug_a", "drug_a_name", "drug_row", "drug1", "drug_1"];

/// Names of the column that holds the second drug of a pair.
pub const DRUG_B: [&str; 6] = ["drug_b", "drug_b_name", "drug_col", "drug_column", "drug2", "drug_2"];

/// Names of the column that holds responses, best first.
pub const RESPONSE: [&str; 6] = ["LN_IC50", "AUC", "pIC50", "log_ic50", "IC50", "response"];

/// Names of the column that holds responses to pairs of drugs, best first.
pub const SYNERGY: [&str; 8] = [
    "synergy",
    "synergy_score",
    "synergy_loewe",
    "synergy_zip",
    "synergy_bliss",
    "synergy_hsa",
    "loewe",
    "css_ri",
];

/// Names of the column that holds doses, best first.
pub const DOSE: [&str; 8] =
    ["dose", "dose_um", "conc_um", "concentration_um", "conc", "concentration", "dose_nm", "conc_nm"];

/// Names of the column that holds single readings of viability or inhibition, best first.
pub const READING: [&str; 9] = [
    "viability",
    "inhibition",
    "viability_percent",
    "percent_viability",
    "inhibition_percent",
    "percent_inhibition",
    "relative_viability",
    "response",
    "efficacy",
];

/// Names of the column that holds units of doses.
pub const DOSE_UNIT: [&str; 3] = ["dose_unit", "conc_unit", "concentration_unit"];

/// Names of the column that holds how often the control divided during the assay.
pub const DIVISIONS: [&str; 4] = ["divisions", "division_number", "doublings", "control_divisions"];

/// Names of the column that holds doses of the first drug of a pair.
pub const DOSE_A: [&str; 9] =
    ["dose_a", "conc_a", "conc_r", "conc_row", "dose1", "dose_1", "conc1", "conc_1", "drug_a_concentration"];

/// Names of the column that holds doses of the second drug of a pair.
pub const DOSE_B: [&str; 10] = [
    "dose_b",
    "conc_b",
    "conc_c",
    "conc_col",
    "conc_column",
    "dose2",
    "dose_2",
    "conc2",
    "conc_2",
    "drug_b_concentration",
];

/// Names of the column that holds units of the first drug's doses; those of both drugs come last.
pub const DOSE_UNIT_A: [&str; 9] = [
    "dose_a_unit",
    "conc_a_unit",
    "conc_r_unit",
    "conc_row_unit",
    "conc_unit1",
    "conc1_unit",
    "dose_unit",
    "conc_unit",
    "concentration_unit",
];

/// Names of the column that holds units of the second drug's doses; those of both drugs come last.
pub const DOSE_UNIT_B: [&str; 10] = [
    "dose_b_unit",
    "conc_b_unit",
    "conc_c_unit",
    "conc_col_unit",
    "conc_column_unit",
    "conc_unit2",
    "conc2_unit",
    "dose_unit",
    "conc_unit",
    "concentration_unit",
];

/// Names of the column that holds numbers or names of dose matrices.
pub const BLOCK: [&str; 3] = ["block_id", "block", "matrix"];

/// Names of the column that holds experiments, best first.
pub const EXPERIMENT: [&str; 4] = ["experiment", "plate", "barcode", "replicate"];

/// Names of the column that holds molecules.
pub const SMILES: [&str; 4] = ["smiles", "SMILE", "canonical_smiles", "isosmiles"];

/// Names of the column that holds a drug's targets.
pub const TARGETS: [&str; 4] = ["targets", "target", "putative_target", "drug_target"];

/// Names of the column that holds the pathway that a drug acts on.
pub const TARGET_PATHWAY: [&str; 3] = ["target_pathway", "pathway_name", "pathway"];

/// Names of the column that holds tissues.
pub const TISSUE: [&str; 6] =
    ["tissue", "TISSUE_FACTOR", "tissue_type", "primary_tissue", "site", "tissue_descriptor"];

/// Names of the column that holds folds.
pub const FOLD: [&str; 2] = ["fold", "folds"];

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

fn is_one_of(name: &str, names: &[&str]) -> bool {
    let name = plain(name);
    names.iter().any(|other| plain(other) == name)
}

/// Whether a column of this name holds identifiers of cell lines.
pub(crate) fn is_cell_line(name: &str) -> bool {
    is_one_of(name, &CELL_LINE)
}

/// Whether a column of this name holds text, even where it looks like numbers.
pub(crate) fn is_identifier(name: &str) -> bool {
    [&CELL_LINE[..], &DRUG, &DRUG_A, &DRUG_B, &SMILES, &TARGETS, &TARGET_PATHWAY, &TISSUE]
        .iter()
        .any(|names| is_one_of(name, names))
}
