//! The quality report: planted faults are found and named, a clean screen shows none, names stay text.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use command::halfmax;

const CELLS: usize = 48;
const DRUGS: usize = 14;
const GENES: usize = 60;
const PLATES: usize = 6;

/// Numbers between −1 and 1, about 0, that depend on nothing but their arguments.
fn noise(seed: usize, a: usize, b: usize) -> f64 {
    let mut state = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ (a as u64).wrapping_mul(0xBF58_476D_1CE4_E5B9)
        ^ (b as u64).wrapping_mul(0x94D0_49BB_1331_11EB);
    let mut sum = 0.0;
    for _ in 0..4 {
        state ^= state >> 30;
        state = state.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state ^= state >> 27;
        state = state.wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
        sum += (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
    }
    sum
}

/// A row of the table of responses.
#[derive(Clone)]
struct Row {
    cell: String,
    drug: String,
    plate: String,
    value: f64,
}

/// A made-up screen, clean unless it is spoilt.
struct MadeUp {
    rows: Vec<Row>,
    /// Cell lines with their expression.
    expression: Vec<(String, Vec<f64>)>,
}

fn cell_name(cell: usize) -> String {
    format!("MADEUP{cell}")
}

fn drug_name(drug: usize) -> String {
    format!("invented {drug}")
}

impl MadeUp {
    fn clean() -> Self {
        let mut rows = Vec::new();
        for cell in 0..CELLS {
            for drug in (0..DRUGS).filter(|drug| (cell * 5 + drug * 3) % 11 != 0) {
                let expected = 2.0 * noise(1, drug, 0) + 0.8 * noise(2, cell, 0);
                let plate = format!("P{}", (cell + drug * 7) % PLATES);
                let row = |again: usize| Row {
                    cell: cell_name(cell),
                    drug: drug_name(drug),
                    plate: plate.clone(),
                    value: expected + 0.4 * noise(3 + again, cell, drug),
                };
                rows.push(row(0));
                if drug < 5 {
                    rows.push(row(1));
                }
            }
        }
        let profile =
            |cell: usize| (0..GENES).map(move |gene| 6.0 + 3.0 * noise(10, gene, 0) + noise(11, cell, gene));
        let expression = (0..CELLS).map(|cell| (cell_name(cell), profile(cell).collect())).collect();
        Self { rows, expression }
    }

    fn of(&mut self, cell: usize, drug: usize) -> Vec<&mut Row> {
        let (cell, drug) = (cell_name(cell), drug_name(drug));
        self.rows.iter_mut().filter(|row| row.cell == cell && row.drug == drug).collect()
    }

    fn write(&self) -> TempDir {
        let folder = TempDir::new().unwrap();
        let mut responses = String::from("cell_line,drug,plate,LN_IC50\n");
        for Row { cell, drug, plate, value } in &self.rows {
            writeln!(responses, "\"{cell}\",\"{drug}\",\"{plate}\",{value:.6}").unwrap();
        }
        let mut expression = String::from("cell_line");
        (0..GENES).for_each(|gene| write!(expression, ",GENE{gene}").unwrap());
        for (cell, values) in &self.expression {
            write!(expression, "\n\"{cell}\"").unwrap();
            values.iter().for_each(|value| write!(expression, ",{value:.6}").unwrap());
        }
        fs::write(folder.path().join("responses.csv"), responses).unwrap();
        fs::write(folder.path().join("expression.csv"), expression + "\n").unwrap();
        let config = "[data]\nresponse = \"responses.csv\"\n[[data.cells]]\nkind = \"expression\"\nfile = \"expression.csv\"\n";
        fs::write(folder.path().join("screen.toml"), config).unwrap();
        folder
    }
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = halfmax(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?} failed:\n{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The lines on quality.
fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("quality:")).collect()
}

/// What `data check` prints on quality.
fn checked(screen: &MadeUp) -> String {
    let folder = screen.write();
    let text = succeeds(folder.path(), &["data", "check", "screen.toml"]);
    lines(&text).join("\n")
}

/// The facts, as JSON.
fn facts(folder: &Path, arguments: &[&str]) -> Value {
    let text = succeeds(folder, arguments);
    let mut events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    events.rfind(|event| event["event"] == "quality").expect("no event on quality")
}

fn assert_says(found: &str, parts: &[&str]) {
    assert_eq!(found.lines().count(), 1, "expected one line:\n{found}");
    for part in parts {
        assert!(found.contains(part), "expected {part:?} in:\n{found}");
    }
}

#[test]
fn a_clean_screen_shows_nothing() {
    let screen = MadeUp::clean();
    assert_eq!(checked(&screen), "");
    let folder = screen.write();
    let text = succeeds(folder.path(), &["data", "inspect", "responses.csv", "expression.csv"]);
    assert_eq!(lines(&text), Vec::<&str>::new());
    let found = facts(folder.path(), &["data", "check", "screen.toml", "--json"]);
    assert_eq!(found["findings"], serde_json::json!([]));
    let coverage = &found["responses"]["coverage"];
    assert_eq!(coverage["cell_lines"]["each"].as_array().unwrap().len(), CELLS);
    assert_eq!(coverage["drugs"]["each"].as_array().unwrap().len(), DRUGS);
    let pairs = (0..CELLS * DRUGS).filter(|at| !(at / DRUGS * 5 + at % DRUGS * 3).is_multiple_of(11)).count();
    assert_eq!(coverage["pairs"], pairs);
    let agreement = &found["responses"]["agreement"][0];
    let repeated = (0..CELLS * 5).filter(|at| (at / 5 * 5 + at % 5 * 3) % 11 != 0).count();
    assert_eq!(agreement["pairs"], repeated);
    assert_eq!(found["responses"]["measurements"], pairs + repeated);
    assert!(agreement["pearson"].as_f64().unwrap() > 0.8, "{agreement}");
}

#[test]
fn identical_profiles_under_two_names_are_found() {
    let mut screen = MadeUp::clean();
    let copy = screen.expression[7].1.clone();
    screen.expression[31].1 =
        copy.iter().enumerate().map(|(gene, value)| value + 0.001 * noise(20, gene, 0)).collect();
    assert_says(&checked(&screen), &["1 pair of cell lines have the same expression", "MADEUP31", "MADEUP7"]);
    screen.expression[31].1 = copy;
    assert_says(&checked(&screen), &["same expression: MADEUP31 = MADEUP7"]);
    let folder = screen.write();
    let text = succeeds(folder.path(), &["data", "inspect", "expression.csv"]);
    assert_says(&lines(&text).join("\n"), &["same expression: MADEUP7 = MADEUP31"]);
}

#[test]
fn identical_responses_under_two_names_are_found() {
    let mut screen = MadeUp::clean();
    let of_first: Vec<Row> = screen.rows.iter().filter(|row| row.drug == drug_name(8)).cloned().collect();
    screen.rows.retain(|row| row.drug != drug_name(12));
    screen.rows.extend(of_first.into_iter().map(|row| Row { drug: drug_name(12), ..row }));
    assert_says(&checked(&screen), &["1 pair of drugs have the same responses", "invented 12", "invented 8"]);

    let mut screen = MadeUp::clean();
    let of_first: Vec<Row> = screen.rows.iter().filter(|row| row.cell == cell_name(3)).cloned().collect();
    screen.rows.retain(|row| row.cell != cell_name(40));
    screen.rows.extend(of_first.into_iter().map(|row| Row { cell: cell_name(40), ..row }));
    assert_says(&checked(&screen), &["1 pair of cell lines have the same responses: MADEUP3 = MADEUP40"]);
}

#[test]
fn one_value_only_is_found() {
    let mut screen = MadeUp::clean();
    screen.rows.iter_mut().filter(|row| row.drug == drug_name(9)).for_each(|row| row.value = 1.5);
    let folder = screen.write();
    // Loading warns of such drugs; it is not said twice.
    let text = succeeds(folder.path(), &["data", "check", "screen.toml"]);
    assert!(text.contains("same response in every cell line") && text.contains("invented 9"), "{text}");
    assert!(!lines(&text).iter().any(|line| line.contains("throughout")), "{text}");
    let text = succeeds(folder.path(), &["data", "inspect", "responses.csv"]);
    let found = lines(&text).join("\n");
    assert!(found.contains("1 drug whose responses are all equal: invented 9"), "{found}");

    let mut screen = MadeUp::clean();
    screen.rows.iter_mut().filter(|row| row.cell == cell_name(9)).for_each(|row| row.value = 0.5);
    let found = checked(&screen);
    assert!(found.contains("1 cell line whose responses are all equal: MADEUP9"), "{found}");
}

#[test]
fn a_shifted_plate_is_found() {
    let mut screen = MadeUp::clean();
    screen.rows.iter_mut().filter(|row| row.plate == "P4").for_each(|row| row.value += 1.0);
    assert_says(&checked(&screen), &["shifted in 1 of 6 groups of column \"plate\"", "P4 (+"]);
    // Down as well as up, and where a plate holds whole cell lines.
    let mut screen = MadeUp::clean();
    for row in &mut screen.rows {
        let cell: usize = row.cell.trim_start_matches("MADEUP").parse().unwrap();
        row.plate = format!("plate {}", cell / 8);
        row.value -= if cell / 8 == 2 { 4.0 } else { 0.0 };
    }
    assert_says(&checked(&screen), &["shifted in 1 of 6 groups", "plate 2 (-"]);
}

#[test]
fn discordant_repeats_are_found() {
    let mut screen = MadeUp::clean();
    screen.of(11, 3)[1].value += 6.0;
    let found = checked(&screen);
    assert!(found.contains("measurements of one pair: 1 of 217 pairs differ"), "{found}");
    assert!(found.contains("the largest is MADEUP11 with invented 3"), "{found}");
    let folder = screen.write();
    let facts = facts(folder.path(), &["data", "check", "screen.toml", "--json"]);
    let worst = &facts["responses"]["agreement"][0]["worst"][0];
    assert_eq!((worst["cell_line"].as_str(), worst["drug"].as_str()), (Some("MADEUP11"), Some("invented 3")));
    // The rows in which they are: the header is row 1.
    let file = fs::read_to_string(folder.path().join("responses.csv")).unwrap();
    let rows: Vec<usize> = (1..)
        .zip(file.lines())
        .filter(|(_, line)| line.contains("\"MADEUP11\",\"invented 3\""))
        .map(|(row, _)| row)
        .collect();
    assert_eq!(worst["rows"], serde_json::json!(rows));
}

#[test]
fn repeats_that_do_not_agree_at_all_are_found() {
    let mut screen = MadeUp::clean();
    let shuffled: Vec<f64> = (0..screen.rows.len()).map(|at| 3.0 * noise(30, at, 0)).collect();
    for (row, value) in screen.rows.iter_mut().zip(shuffled) {
        row.value = value;
    }
    let found = checked(&screen);
    assert!(found.contains("measurements of one pair agree poorly"), "{found}");
}

#[test]
fn repeats_of_a_drug_that_differ_in_one_direction_are_found() {
    let mut screen = MadeUp::clean();
    for cell in 0..CELLS {
        if let Some(second) = screen.of(cell, 4).into_iter().nth(1) {
            second.value += 1.0;
        }
    }
    assert_says(&checked(&screen), &["measurements of one pair differ in one direction: invented 4"]);
}

#[test]
fn an_outlier_is_found() {
    let mut screen = MadeUp::clean();
    screen.of(20, 10)[0].value = 60.0;
    let found = checked(&screen);
    assert!(found.contains("1 response is 20 MADs or more"), "{found}");
    assert!(found.contains("MADEUP20 with invented 10: 60.000"), "{found}");
}

#[test]
fn a_cell_line_unlike_the_others_is_found() {
    let mut screen = MadeUp::clean();
    screen.expression[17].1.reverse();
    assert_says(&checked(&screen), &["1 cell line", "correlates little", "MADEUP17"]);
    let mut screen = MadeUp::clean();
    screen.expression[18].1.iter_mut().for_each(|value| *value = value.exp2());
    let found = checked(&screen);
    assert!(found.contains("another scale") && found.contains("MADEUP18"), "{found}");
}

#[test]
fn what_is_not_used_is_listed_with_the_reason() {
    let mut screen = MadeUp::clean();
    screen.expression.remove(5);
    let extra =
        screen.expression[0].1.iter().enumerate().map(|(gene, value)| value + noise(40, gene, 0)).collect();
    screen.expression.push(("WITHOUTRESPONSE".into(), extra));
    let folder = screen.write();
    let found = facts(folder.path(), &["data", "check", "screen.toml", "--json"]);
    let unused = |file: &str, what: &str| -> Vec<(String, String)> {
        let joins = found["joins"].as_array().unwrap();
        let join = joins
            .iter()
            .find(|join| join["file"].as_str().unwrap().ends_with(file) && join["what"] == what)
            .unwrap();
        let text = |one: &Value, key: &str| one[key].as_str().unwrap().to_owned();
        join["unused"].as_array().unwrap().iter().map(|one| (text(one, "name"), text(one, "why"))).collect()
    };
    let of_responses = unused("responses.csv", "cell lines");
    assert_eq!(of_responses.len(), 1);
    assert_eq!(of_responses[0].0, "MADEUP5");
    assert!(of_responses[0].1.contains("has responses"), "{of_responses:?}");
    let of_expression = unused("expression.csv", "cell lines");
    assert_eq!(of_expression, [("WITHOUTRESPONSE".to_owned(), "it has no response".to_owned())]);
    succeeds(folder.path(), &["data", "check", "screen.toml", "--html", "quality.html"]);
    let html = fs::read_to_string(folder.path().join("quality.html")).unwrap();
    assert!(html.contains("MADEUP5") && html.contains("WITHOUTRESPONSE"));
}

#[test]
fn hostile_names_stay_text_and_files_are_not_replaced() {
    let mut screen = MadeUp::clean();
    let (drug, cell, plate) =
        ("<script>alert(1)</script>", "<img src=x onerror=alert(2)>", "</style><b>\u{202e}");
    for row in &mut screen.rows {
        if row.drug == drug_name(2) {
            row.drug = drug.into();
        }
        if row.cell == cell_name(2) {
            row.cell = cell.into();
        }
        if row.plate == "P2" {
            row.plate = plate.into();
            row.value += 3.0;
        }
    }
    screen.expression[2].0 = cell.into();
    let folder = screen.write();
    for arguments in [
        &["data", "check", "screen.toml", "--html", "check.html"][..],
        &["data", "inspect", "responses.csv", "expression.csv", "--html", "inspect.html"],
    ] {
        succeeds(folder.path(), arguments);
        let file = folder.path().join(arguments[arguments.len() - 1]);
        let html = fs::read_to_string(&file).unwrap();
        assert_eq!(html.matches("<script").count(), 1);
        assert_eq!(html.matches("</style").count(), 1);
        assert!(!html.contains("<img") && !html.contains('\u{202e}'));
        assert!(
            html.contains("&lt;script&gt;alert(1)&lt;/script&gt;")
                && html.contains("&lt;/style&gt;&lt;b&gt;")
        );
        assert!(html.contains("Content-Security-Policy") && html.contains("Research use only"));
        let refused = halfmax(folder.path(), arguments);
        assert_eq!(refused.status.code(), Some(2), "a file that exists was replaced");
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--overwrite"));
        fs::write(&file, "old").unwrap();
        let again: Vec<&str> = arguments.iter().copied().chain(["--overwrite"]).collect();
        succeeds(folder.path(), &again);
        assert_eq!(fs::read_to_string(&file).unwrap(), html, "the same data make the same report");
    }
}

#[test]
fn few_responses_are_named() {
    let mut screen = MadeUp::clean();
    let mut kept = 0;
    screen.rows.retain(|row| {
        let own = row.cell == cell_name(14);
        kept += usize::from(own);
        !own || kept <= 3
    });
    let found = checked(&screen);
    assert!(
        found.contains("1 cell line with fewer than 5 responses") && found.contains("MADEUP14"),
        "{found}"
    );
}
