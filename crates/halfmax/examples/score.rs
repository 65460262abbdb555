//! Trains a model, stores it, and scores new cell lines with it.
//!
//! `cargo run --release -p halfmax --example score`

use std::fmt::Write as _;
use std::fs;
use std::io::Write;

use halfmax::prelude::*;

const CONFIG: &str = r#"
[data]
dataset = "gdsc-core"
response = "gdsc1"

# The drugs to score are those of the screen, known by their names. New drugs would need features, made from their SMILES.
[data.drug_features]
fingerprint_bits = 0
targets = false
target_pathway = false

[[data.cells]]
kind = "expression"

[target]
column = "LN_IC50"

[[model]]
family = "kernel"
"#;

fn main() -> halfmax::Result<()> {
    let folder = std::env::temp_dir().join(format!("halfmax-example-{}", std::process::id()));
    let failed = |error| Error::failed("the example's files cannot be written").with_source(error);
    fs::create_dir_all(&folder).map_err(failed)?;

    let config = Config::parse(CONFIG, &[])?;
    let screen = PreparedScreen::load(&config, &Silent)?;
    let trained = train(&config, &screen, &RunState::in_memory(Vec::new()), &Silent)?;
    // The command `halfmax train` writes this kind of file, and `halfmax score` reads it.
    let model = folder.join("model.halfmax");
    trained.model.write(&model)?;

    // Two new cell lines: here copies of known cell lines under other names. halfmax fills in missing features, and reports them.
    let genes = &trained.model.fitted.space(0).features;
    let known = screen.loaded.screen.table(0);
    let block = &known.blocks()[0];
    let mut cells = String::from("cell_line");
    genes.iter().for_each(|gene| cells += &format!(",{}", gene.name));
    for (name, of) in [("new one", "K562"), ("new two", "A375")] {
        let row = known.position(of).ok_or_else(|| Error::data(format!("no cell line {of}")))?;
        let halfmax::core::FeatureValues::Real(values) = &block.values else { continue };
        let _ = write!(cells, "\n{name}");
        for gene in genes {
            let column = block.names.iter().position(|own| *own == gene.name).unwrap_or_default();
            let _ = write!(cells, ",{}", values[[row, column]]);
        }
    }
    fs::write(folder.join("cells.csv"), cells).map_err(failed)?;
    fs::write(folder.join("drugs.csv"), "drug\nImatinib\nDabrafenib\nPaclitaxel\n").map_err(failed)?;

    let request = ScoreRequest {
        cells: vec![TableFile::from(folder.join("cells.csv"))],
        drugs: TableFile::from(folder.join("drugs.csv")),
        top: Some(2),
        ..ScoreRequest::default()
    };
    let scores = folder.join("scores.csv");
    let written = request.write(&model, &scores, &Silent)?;
    let text = fs::read_to_string(&scores).map_err(failed)?;
    fs::remove_dir_all(&folder).map_err(failed)?;
    writeln!(std::io::stdout(), "{} scores, the two best drugs of each cell line:\n{text}", written.scores)
        .map_err(Error::standard_output)
}
