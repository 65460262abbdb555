//! The report on the quality of data.

use halfmax_data::{
    Agreement, Coverage, Covered, Discordant, DrugAgreement, FeatureQuality, GroupNature, Grouping,
    Histogram, Join, Outlier, Outliers, Quality, Quantiles, ResponseQuality, SideCoverage, Twins,
};
use halfmax_report::{
    Finding, HistogramPicture, QualityChapter, QualityPart, QualityReport, QualityTable, RasterPicture,
    Spread, TableColumn, TableValue, render_quality,
};

use super::{fact, thousands};

/// The maximum number of rows of a table.
const MOST_ROWS: usize = 3_000;

/// The quality of one file, or of all files of a configuration.
pub struct Looked<'a> {
    /// The quality of the data.
    pub quality: &'a Quality,
    /// The notes from reading.
    pub notes: Vec<String>,
    /// The warnings from reading.
    pub warnings: Vec<String>,
}

/// The report as HTML.
pub fn quality_html(title: &str, subtitle: &str, all: &[Looked<'_>]) -> String {
    let mut chapters = Vec::new();
    for looked in all {
        let name = looked.quality.file.rsplit(['/', '\\']).next().unwrap_or_default();
        for mut chapter in chapters_of(looked) {
            if all.len() > 1 {
                chapter.title = format!("{name}: {}", chapter.title);
            }
            chapters.push(chapter);
        }
    }
    chapters.push(terms());
    render_quality(&QualityReport { title: title.into(), subtitle: subtitle.into(), chapters })
}

fn chapters_of(looked: &Looked<'_>) -> Vec<QualityChapter> {
    let quality = looked.quality;
    let mut chapters = vec![summary(looked)];
    if let Some(responses) = &quality.responses {
        chapters.push(coverage(responses));
        chapters.push(distribution(responses));
        chapters.push(chapter(
            "Repeats",
            responses.agreement.iter().flat_map(|one| agreement(one, responses)).collect(),
        ));
        chapters.push(chapter("Outliers", responses.outliers.iter().flat_map(outliers).collect()));
        chapters.push(same_responses(responses));
    }
    chapters.push(chapter("Features", quality.features.iter().flat_map(features).collect()));
    chapters.push(chapter("Joins", quality.joins.iter().flat_map(join).collect()));
    chapters
}

fn summary(looked: &Looked<'_>) -> QualityChapter {
    let quality = looked.quality;
    let mut parts = Vec::new();
    let mut figures = Vec::new();
    if let Some(responses) = &quality.responses {
        let Coverage { pairs, density, cell_lines, drugs, .. } = &responses.coverage;
        figures.push(figure(
            *pairs,
            &format!("pairs of a cell line and a {} have a response", responses.partner),
        ));
        figures.push(figure(cell_lines.each.len(), "cell lines"));
        figures.push(figure(drugs.each.len(), &format!("{}s", responses.partner)));
        let measured = format!("{:.0} %", 100.0 * density);
        figures.push(Finding { figure: measured, text: "of all pairs are measured".into() });
    }
    for features in &quality.features {
        let text =
            format!("features of kind {}, of {} cell lines", features.kind, thousands(features.cell_lines));
        figures.push(figure(features.features, &text));
    }
    parts.push(QualityPart::Findings(figures));
    parts.push(QualityPart::Heading("Noteworthy".into()));
    if quality.findings.is_empty() && looked.warnings.is_empty() {
        parts.push(text("Nothing stands out."));
    }
    let findings = quality.findings.iter().map(|finding| finding.text.clone());
    parts.push(QualityPart::List(findings.chain(looked.warnings.iter().cloned()).collect()));
    if !looked.notes.is_empty() {
        parts.push(QualityPart::Heading("How it was read".into()));
        parts.push(QualityPart::List(looked.notes.clone()));
    }
    chapter("Summary", parts)
}

fn coverage(responses: &ResponseQuality) -> QualityChapter {
    let Coverage { picture, cell_lines, drugs, .. } = &responses.coverage;
    let partner = &responses.partner;
    let (rows, columns) = (cell_lines.each.len(), drugs.each.len());
    let raster = RasterPicture {
        title: format!("Which pairs of a cell line and a {partner} are measured"),
        legend: format!(
            "{} cell lines from top to bottom, {} {partner}s from left to right, those with the most responses first{}.",
            thousands(rows),
            thousands(columns),
            if picture.rows < rows || picture.columns < columns {
                "; each cell of the picture stands for several pairs; a darker cell has more measured pairs"
            } else {
                ""
            }
        ),
        rows: picture.rows,
        columns: picture.columns,
        shares: picture.shares.clone(),
    };
    let mut parts = vec![QualityPart::Raster(raster)];
    for (side, what) in [(drugs, format!("{partner}s")), (cell_lines, "cell lines".into())] {
        parts.extend(side_coverage(side, &what, &responses.response));
    }
    chapter("Coverage", parts)
}

fn side_coverage(side: &SideCoverage, what: &str, response: &str) -> Vec<QualityPart> {
    let Quantiles { min, q25, median, q75, max, .. } = side.responses;
    let counts = [
        ("Fewest", min),
        ("Lower quartile", q25),
        ("Median", median),
        ("Upper quartile", q75),
        ("Most", max),
    ];
    let facts = counts.map(|(name, value)| fact(name, &thousands(value.round() as usize)));
    let row = |one: &Covered| {
        vec![
            words(&one.name),
            TableValue::Count(one.responses),
            TableValue::Number(one.median),
            TableValue::Number(one.mad),
            words(if one.one_value && one.responses > 1 { "one value only" } else { "" }),
        ]
    };
    let columns = vec![
        TableColumn::Words("name".into()),
        TableColumn::Numbers("responses".into()),
        TableColumn::Numbers(format!("median {response}")),
        TableColumn::Numbers("MAD".into()),
        TableColumn::Words("remark".into()),
    ];
    let caption = format!("{what}, those with the fewest responses first");
    let mut parts =
        vec![QualityPart::Heading(format!("Responses of {what}")), QualityPart::Facts(facts.to_vec())];
    parts.extend(table(caption, what, columns, side.each.iter().map(row).collect()));
    parts
}

fn distribution(responses: &ResponseQuality) -> QualityChapter {
    let distribution = &responses.distribution;
    let Quantiles { min, q25, median, q75, max, .. } = distribution.overall;
    let values = [
        ("Lowest", min),
        ("Lower quartile", q25),
        ("Median", median),
        ("Upper quartile", q75),
        ("Highest", max),
    ];
    let facts = values.map(|(name, value)| fact(name, &decimal(value)));
    let title = format!("{}: {} measurements", responses.response, thousands(responses.measurements));
    let mut parts = vec![histogram(title, &distribution.histogram), QualityPart::Facts(facts.to_vec())];
    if distribution.groupings.is_empty() {
        parts.push(note("No column names plates, experiments, studies or tissues."));
    }
    parts.extend(distribution.groupings.iter().flat_map(|own| grouping(own, responses)));
    chapter("Distribution", parts)
}

fn grouping(grouping: &Grouping, responses: &ResponseQuality) -> Vec<QualityPart> {
    let number = |value: Option<f64>| value.map_or(TableValue::Missing, TableValue::Number);
    // Subtracting the medians of cell lines removes the whole effect of a tissue.
    let is_technical = grouping.nature == GroupNature::Technical;
    let rows = grouping.groups.iter().map(|group| {
        let mut row = vec![
            words(&group.name),
            TableValue::Count(group.values.count),
            TableValue::Number(group.values.median),
            number(group.shift),
        ];
        row.extend(is_technical.then(|| number(group.shift_left)));
        row.push(TableValue::Spread(spread(&group.values)));
        row.push(words(if group.is_shifted { "shifted" } else { "" }));
        row
    });
    let mut columns = vec![
        TableColumn::Words("group".into()),
        TableColumn::Numbers("measurements".into()),
        TableColumn::Numbers("median".into()),
        TableColumn::Numbers(format!("shift, {}s removed (MADs)", responses.partner)),
    ];
    columns.extend(is_technical.then(|| TableColumn::Numbers("shift, cell lines removed too (MADs)".into())));
    columns.push(TableColumn::Spreads(responses.response.clone()));
    columns.push(TableColumn::Words("remark".into()));
    let shown = grouping.groups.len();
    let part = if shown < grouping.count { format!(", {shown} of them here") } else { String::new() };
    let count = thousands(grouping.count);
    let caption = format!("{count} groups by {:?}, the most shifted first{part}", grouping.column);
    let mut parts = vec![QualityPart::Heading(format!("By {}", grouping.column))];
    parts.extend(table(caption, "groups", columns, rows.collect()));
    parts
}

fn agreement(agreement: &Agreement, responses: &ResponseQuality) -> Vec<QualityPart> {
    let correlation = |value: Option<f64>| value.map_or("–".to_owned(), decimal);
    let facts = vec![
        fact("Pairs", &thousands(agreement.pairs)),
        fact("Correlation", &correlation(agreement.pearson)),
        fact(&format!("Correlation within {}s", responses.partner), &correlation(agreement.within_drugs)),
        fact("Median absolute difference", &decimal(agreement.median_difference)),
        fact("Pairs that differ by more than ten times that", &thousands(agreement.discordant)),
    ];
    let mut parts = vec![
        QualityPart::Heading(capitalised(&agreement.what)),
        QualityPart::Facts(facts),
        histogram("First less second measurement".into(), &agreement.differences),
    ];
    parts.extend(discordant(agreement, &responses.partner));
    parts.extend(repeats_by_drug(agreement, &responses.partner));
    parts
}

fn discordant(agreement: &Agreement, partner: &str) -> Option<QualityPart> {
    let row = |one: &Discordant| {
        let values: Vec<String> = one.values.iter().map(|value| decimal(*value)).collect();
        let rows: Vec<String> = one.rows.iter().map(ToString::to_string).collect();
        vec![
            words(&one.cell_line),
            words(&one.drug),
            TableValue::Number(one.difference),
            words(&values.join(", ")),
            words(&rows.join(", ")),
        ]
    };
    let columns = vec![
        TableColumn::Words("cell line".into()),
        TableColumn::Words(partner.into()),
        TableColumn::Numbers("difference".into()),
        TableColumn::Words("measurements".into()),
        TableColumn::Words("rows of the file".into()),
    ];
    let rows = agreement.worst.iter().map(row).collect();
    table(format!("{}: those that differ most", agreement.what), "pairs", columns, rows)
}

fn repeats_by_drug(agreement: &Agreement, partner: &str) -> Option<QualityPart> {
    let row = |one: &DrugAgreement| {
        vec![
            words(&one.drug),
            TableValue::Count(one.pairs),
            TableValue::Number(one.median_difference),
            one.pearson.map_or(TableValue::Missing, TableValue::Number),
            words(if one.is_shifted { "differs in one direction" } else { "" }),
        ]
    };
    let columns = vec![
        TableColumn::Words(partner.into()),
        TableColumn::Numbers("pairs with repeats".into()),
        TableColumn::Numbers("median of first less second".into()),
        TableColumn::Numbers("correlation".into()),
        TableColumn::Words("remark".into()),
    ];
    let what = format!("{partner}s");
    let rows = agreement.by_drug.iter().map(row).collect();
    table(format!("{} by {partner}", agreement.what), &what, columns, rows)
}

fn outliers(outliers: &Outliers) -> Vec<QualityPart> {
    let mut parts = vec![text(&format!(
        "Each response is compared with the value expected from the medians of its drug and its cell line. Half of the \
         responses are within {:.3} of that value: one MAD. {} are 8 MADs or more away, {} of them 20 or more. A few are \
         biology: a drug that works in a few cell lines only.",
        outliers.mad,
        thousands(outliers.count),
        thousands(outliers.far)
    ))];
    let row = |one: &Outlier| {
        vec![
            words(&one.cell_line),
            words(&one.drug),
            TableValue::Number(one.value),
            TableValue::Number(one.expected),
            TableValue::Number(one.distance),
        ]
    };
    let columns = vec![
        TableColumn::Words("cell line".into()),
        TableColumn::Words("drug".into()),
        TableColumn::Numbers("response".into()),
        TableColumn::Numbers("expected".into()),
        TableColumn::Numbers("distance (MADs)".into()),
    ];
    let rows = outliers.worst.iter().map(row).collect();
    parts.extend(table(
        "Responses far from the expected value, the farthest first".into(),
        "responses",
        columns,
        rows,
    ));
    parts
}

fn same_responses(responses: &ResponseQuality) -> QualityChapter {
    let partner = &responses.partner;
    let mut parts = Vec::new();
    let sides = [
        (&responses.same_drugs, format!("{partner}s"), &responses.coverage.drugs),
        (&responses.same_cell_lines, "cell lines".to_owned(), &responses.coverage.cell_lines),
    ];
    for (twins, what, side) in sides {
        parts.push(QualityPart::Heading(capitalised(&what)));
        match twins {
            None => parts.push(note(&format!("There are too many {what} to compare every pair."))),
            Some(twins) if twins.is_empty() => {
                parts.push(text(&format!("No two {what} have the same responses.")))
            }
            Some(twins) => {
                parts.extend(twins_table(&format!("{what} with the same responses"), &what, twins))
            }
        }
        let constant = side.each.iter().filter(|one| one.one_value);
        let rows: Vec<Vec<TableValue>> = constant
            .map(|one| {
                vec![words(&one.name), TableValue::Count(one.responses), TableValue::Number(one.median)]
            })
            .collect();
        let columns = vec![
            TableColumn::Words("name".into()),
            TableColumn::Numbers("responses".into()),
            TableColumn::Numbers("value".into()),
        ];
        parts.extend(table(format!("{what} with one value only"), &what, columns, rows));
    }
    chapter("Same responses", parts)
}

fn twins_table(caption: &str, noun: &str, twins: &[Twins]) -> Option<QualityPart> {
    let row = |one: &Twins| {
        vec![
            words(&one.first),
            words(&one.second),
            TableValue::Count(one.shared),
            words(&if one.identical {
                "identical".into()
            } else {
                format!("correlation {:.5}", one.pearson)
            }),
        ]
    };
    let columns = vec![
        TableColumn::Words("first".into()),
        TableColumn::Words("second".into()),
        TableColumn::Numbers("shared values".into()),
        TableColumn::Words("how alike".into()),
    ];
    table(caption.into(), noun, columns, twins.iter().map(row).collect())
}

fn features(features: &FeatureQuality) -> Vec<QualityPart> {
    let kind = &features.kind;
    let mut facts = vec![
        fact("Cell lines", &thousands(features.cell_lines)),
        fact("Features", &thousands(features.features)),
        fact("Values missing", &format!("{:.1} %", 100.0 * features.missing_share)),
        fact("Features with one value only", &thousands(features.constant)),
    ];
    if let Some(typical) = features.median_correlation {
        facts.push(fact("Median correlation with the median profile", &format!("{typical:.3}")));
    }
    let mut parts = vec![QualityPart::Heading(capitalised(kind)), QualityPart::Facts(facts)];
    parts.extend(features.other_scale.as_deref().map(text));
    if !features.constant_names.is_empty() {
        let rows = features.constant_names.iter().map(|name| vec![words(name)]).collect();
        let columns = vec![TableColumn::Words("feature".into())];
        parts.extend(table(format!("{kind}: features with one value only"), "features", columns, rows));
    }
    match (features.compared, features.same.is_empty()) {
        (false, _) => parts.push(note(
            "Cell lines were not compared with each other: there are too many, or too few features.",
        )),
        (true, true) => parts.push(text("No two cell lines have the same profile.")),
        (true, false) => parts.extend(twins_table(
            &format!("{kind}: cell lines with the same profile"),
            "pairs",
            &features.same,
        )),
    }
    let rows = features.least_like.iter().map(|one| {
        vec![
            words(&one.cell_line),
            TableValue::Number(one.correlation),
            TableValue::Share(one.missing_share),
            words(if one.is_unlike { "unlike the others" } else { "" }),
        ]
    });
    let columns = vec![
        TableColumn::Words("cell line".into()),
        TableColumn::Numbers("correlation with the median profile".into()),
        TableColumn::Numbers("missing".into()),
        TableColumn::Words("remark".into()),
    ];
    let caption = format!("{kind}: cell lines, those least like the others first");
    parts.extend(table(caption, "cell lines", columns, rows.collect()));
    parts
}

fn join(join: &Join) -> Vec<QualityPart> {
    let facts = vec![
        fact("Read as", &join.role),
        fact(&format!("Used {}", join.what), &thousands(join.used)),
        fact("Not used", &thousands(join.unused.len())),
    ];
    let rows = join.unused.iter().map(|one| vec![words(&one.name), words(&one.why)]).collect();
    let columns = vec![TableColumn::Words("name".into()), TableColumn::Words("why it is not used".into())];
    let mut parts =
        vec![QualityPart::Heading(format!("{}: {}", join.file, join.what)), QualityPart::Facts(facts)];
    parts.push(QualityPart::List(join.notes.clone()));
    parts.extend(table(format!("{}: {} that are not used", join.file, join.what), &join.what, columns, rows));
    parts
}

fn terms() -> QualityChapter {
    let terms = [
        (
            "MAD",
            "Median absolute deviation: half of the values are closer to the median than this. In a normal distribution, it is \
             0.67 standard deviations.",
        ),
        (
            "Median polish",
            "Subtracts the medians of drugs and of cell lines in turn, until neither explains the rest. Wrong values hardly \
             move medians.",
        ),
        (
            "Shift",
            "The difference between the median of a group and that of the others, in MADs. The medians of drugs (and cell \
             lines) are subtracted first.",
        ),
        (
            "Median profile",
            "The median of each feature over all cell lines. A cell line that hardly correlates with it is unlike the others.",
        ),
        (
            "Same profile",
            "Two names whose standardised features correlate by more than 0.999: one sample under two names, or a copied row.",
        ),
        ("Box", "The line is the median, the box holds the middle half, the whiskers reach from 5 to 95 %."),
    ];
    chapter(
        "Glossary",
        vec![QualityPart::Facts(terms.iter().map(|(name, meaning)| fact(name, meaning)).collect())],
    )
}

fn chapter(title: &str, parts: Vec<QualityPart>) -> QualityChapter {
    QualityChapter { title: title.into(), parts }
}

fn table(
    caption: String,
    noun: &str,
    columns: Vec<TableColumn>,
    mut rows: Vec<Vec<TableValue>>,
) -> Option<QualityPart> {
    if rows.is_empty() {
        return None;
    }
    let all = rows.len();
    rows.truncate(MOST_ROWS);
    let caption = if all > MOST_ROWS {
        format!("{caption} (the first {} of {})", thousands(MOST_ROWS), thousands(all))
    } else {
        caption
    };
    Some(QualityPart::Table(QualityTable {
        caption: capitalised(&caption),
        noun: noun.into(),
        columns,
        rows,
    }))
}

fn histogram(title: String, histogram: &Histogram) -> QualityPart {
    let Histogram { low, high, counts } = histogram;
    QualityPart::Histogram(HistogramPicture { title, low: *low, high: *high, counts: counts.clone() })
}

fn spread(quantiles: &Quantiles) -> Spread {
    let Quantiles { min, q05, q25, median, q75, q95, max, .. } = *quantiles;
    Spread { min, q05, q25, q50: median, q75, q95, max }
}

fn words(text: &str) -> TableValue {
    TableValue::Words(text.into())
}

fn text(text: &str) -> QualityPart {
    QualityPart::Text(text.into())
}

fn note(text: &str) -> QualityPart {
    QualityPart::Note(text.into())
}

fn figure(count: usize, text: &str) -> Finding {
    Finding { figure: thousands(count), text: text.into() }
}

/// With three decimals and a true minus sign.
fn decimal(value: f64) -> String {
    format!("{value:.3}").replace('-', "−")
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}
