//! The data that are part of halfmax, as bytes. Each has a README beside it that names its source and its terms.

/// The manifest of gdsc-core, TOML: source, version, SHA-256, licence and citation of each file.
pub const GDSC_CORE: &str = include_str!("gdsc-core/dataset.toml");
/// Responses of GDSC1, CSV packed by gzip: the cell lines, drugs and ln IC50 of gdsc-core.
pub const GDSC_CORE_GDSC1: &[u8] = include_bytes!("gdsc-core/gdsc1_response.csv.gz");
/// The same of GDSC2.
pub const GDSC_CORE_GDSC2: &[u8] = include_bytes!("gdsc-core/gdsc2_response.csv.gz");
/// Expression of 1,000 genes in the cell lines of gdsc-core, CSV packed by gzip.
pub const GDSC_CORE_EXPRESSION: &[u8] = include_bytes!("gdsc-core/expression.csv.gz");
/// Genomic events of the cell lines of gdsc-core, CSV packed by gzip.
pub const GDSC_CORE_EVENTS: &[u8] = include_bytes!("gdsc-core/events.csv.gz");
/// The drugs of gdsc-core, CSV.
pub const GDSC_CORE_DRUGS: &[u8] = include_bytes!("gdsc-core/drugs.csv");

/// Manifests of datasets that can be fetched, TOML, each by its name.
pub const MANIFESTS: [(&str, &str); 8] = [
    ("gdsc1", include_str!("gdsc1.toml")),
    ("gdsc2", include_str!("gdsc2.toml")),
    ("oneil", include_str!("oneil.toml")),
    ("gdsc-release", include_str!("gdsc-release.toml")),
    ("depmap", include_str!("depmap.toml")),
    ("ctrpv2", include_str!("ctrpv2.toml")),
    ("almanac", include_str!("almanac.toml")),
    ("dreval-ctrpv2", include_str!("dreval-ctrpv2.toml")),
];

/// GDSC's list of drug targets and pathways of June 2019, CSV: `drug, targets, target_pathway`.
pub const GDSC_TARGETS: &str = include_str!("gdsc/targets.csv");

/// COSMIC's list of cell lines with their ids and names, CSV packed by gzip.
pub const COSMIC_CELL_LINES: &[u8] = include_bytes!("cell-lines/cosmic.csv.gz");

/// HGNC's approved symbols of genes with aliases, previous symbols, Entrez and Ensembl ids, separated by tabs.
pub const HGNC_SYMBOLS: &str = include_str!("hgnc/symbols.tsv");

/// The catalogue of mechanisms of resistance, TOML.
pub const MECHANISMS: &str = include_str!("mechanisms.toml");
