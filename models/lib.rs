//! The configurations that are part of halfmax, with the folds that they name.

macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_bytes!($name))),+]
    };
}

/// What the demo runs.
pub const DEMO: &str = include_str!("demo.toml");
/// Its part with combinations, which needs the table that the demo simulates.
pub const DEMO_COMBINATIONS: &str = include_str!("demo-combinations.toml");

/// The recipes that run on datasets, by the names of their files. `demo-combinations.toml` is not among them: it needs what the
/// demo makes.
pub const RECIPES: &[(&str, &[u8])] = files![
    "boost-best.toml",
    "demo.toml",
    "gdsc2-classical.toml",
    "gdsc2-explain.toml",
    "gdsc2-kernel.toml",
    "gdsc2-leaderboard.toml",
    "neural-large.toml",
    "neural-mechanism.toml",
    "neural-small.toml",
    "oneil-synergy.toml",
];

/// The folds of GDSC2.
pub const FOLDS: &[(&str, &[u8])] = files![
    "splits/gdsc2_lco.csv",
    "splits/gdsc2_ldo.csv",
    "splits/gdsc2_lpo.parquet",
    "splits/gdsc2_lto.csv"
];
