//! The quality of raw plates: judged, written, named, and mended on request, before signals are divided by their controls.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use halfmax_core::{Error, Result, listed};
use halfmax_data::{
    Note, OutputColumn, OutputSet, PartSize, PlateTables, PlateWells, RawTable, Rows, TableParts,
    TableWriter, WellKind, counted, join_notes, plate_wells, written_endings,
};
use halfmax_dose::{
    Corrected, PlateFlag, PlateFormat, PlateLimits, PlateQuality, PlateWell, PositionCorrection, WellUse,
    plate_quality,
};
use halfmax_report::{Card, Measure, Picture, PlatePicture, Well};
use serde_json::{Value, json};

use crate::terminal::Terminal;
use crate::values::{PositionValue, spelt};
use halfmax::report::PlateCards;

/// What is said of raw plates.
#[derive(Args)]
pub struct PlateArgs {
    #[arg(
        long,
        value_name = "FILE",
        help = format!(
            "Write the quality of each plate of raw signals: Z', SSMD, signal window, variation of the controls, effects of the position; {}",
            written_endings()
        )
    )]
    plates: Option<PathBuf>,
    /// Take effects of the position out of raw signals, as far as the untreated wells of a plate tell them: "edge", of the outer rows and
    /// columns, and "drift", from the first row or column to the last. Both: edge,drift.
    #[arg(long, value_name = "EFFECTS", value_delimiter = ',', value_enum)]
    correct: Vec<PositionValue>,
    /// Leave out plates that fail: without controls, with controls that cross, with Z' or the variation of the controls beyond its limit.
    #[arg(long)]
    drop_failed_plates: bool,
    /// The lowest Z' of a plate that passes.
    #[arg(long, value_name = "Z", default_value_t = 0.4, allow_negative_numbers = true)]
    min_z_prime: f64,
    /// The highest coefficient of variation of the untreated wells of a plate that passes, as a fraction.
    #[arg(long, value_name = "CV", default_value_t = 0.2)]
    max_control_cv: f64,
}

impl PlateArgs {
    /// The file of the quality of plates.
    pub fn file(&self) -> Option<&Path> {
        self.plates.as_deref()
    }
}

/// Rows whose plates were judged, and what was found.
pub struct Judged {
    /// The rows, with what was asked for done.
    pub rows: Box<dyn Rows>,
    /// Figures for the result.
    pub facts: Option<Value>,
    /// Pictures of the plates as they were read.
    pub cards: PlateCards,
}

/// Judges the plates of a table of raw signals, and draws them where `pictured`. Other tables stay as they are.
///
/// # Errors
/// If the table has no raw signals though they are needed, most plates have controls that cross, all plates fail and are to be left out, or
/// the file of plates cannot be written.
pub fn judged(
    parts: TableParts,
    args: &PlateArgs,
    (pictured, files): (bool, &OutputSet),
    terminal: Terminal,
) -> Result<Judged> {
    let limits = limits(args)?;
    let asked = args.plates.is_some() || !args.correct.is_empty() || args.drop_failed_plates;
    let label = parts.sample()?.label().to_owned();
    let no_controls = || {
        Err(Error::data(format!("{label}: has no untreated wells of raw signals, by which plates could be judged"))
            .help("--plates, --correct and --drop-failed-plates need raw signals (a column of luminescence, intensity, counts) with the untreated wells as rows of the same table"))
    };
    let unjudged = |rows: Box<dyn Rows>| Ok(Judged { rows, facts: None, cards: PlateCards::default() });
    let Some(tables) = PlateTables::of(&parts)? else {
        return if asked { no_controls() } else { unjudged(Box::new(parts)) };
    };
    drop(parts);
    let mut plates = Plates::of(&tables, &limits)?;
    if !plates.have_controls() {
        return if asked { no_controls() } else { unjudged(Box::new(Mended::unchanged(tables))) };
    }
    plates.refuse_swapped(&label)?;
    let which = Corrected {
        edge: args.correct.contains(&PositionValue::Edge),
        drift: args.correct.contains(&PositionValue::Drift),
    };
    plates.learn(which);
    let cards = if pictured { plates.cards(&tables)? } else { PlateCards::default() };
    if which != Corrected::default() {
        plates.correct(&tables, &limits)?;
    }
    if let Some(path) = &args.plates {
        plates.write(path, files)?;
    }
    plates.notes(args, which).iter().for_each(|note| terminal.note(&format!("{label}: {note}")));
    let facts = Some(plates.facts(args));
    // Where no effect was found there is nothing to take out.
    let corrected = which != Corrected::default() && plates.any_correction();
    if args.drop_failed_plates && plates.failed().len() == plates.all.len() {
        return Err(Error::data(format!("{label}: every plate fails: none is left"))
            .help("look at --plates FILE for why; or set other limits (--min-z-prime, --max-control-cv); or leave --drop-failed-plates away"));
    }
    let rows = Box::new(Mended {
        tables,
        plates: Some(plates).filter(|_| corrected || args.drop_failed_plates),
        corrected,
        without_failed: args.drop_failed_plates,
    });
    Ok(Judged { rows, facts, cards })
}

/// Plates with what was asked for done.
struct Mended {
    tables: PlateTables,
    /// None where nothing is to be done.
    plates: Option<Plates>,
    corrected: bool,
    without_failed: bool,
}

impl Mended {
    fn unchanged(tables: PlateTables) -> Self {
        Self { tables, plates: None, corrected: false, without_failed: false }
    }

    fn table(&self, at: usize) -> Result<RawTable> {
        let mut table = self.tables.table(at)?;
        let Some(plates) = &self.plates else { return Ok(table) };
        let Some(wells) = plate_wells(&table)? else { return Ok(table) };
        if self.corrected {
            let note = "effects of the position were taken out of the signals (--correct)";
            table = table.with_signals(plates.corrected(at, &wells), note)?;
        }
        if self.without_failed {
            table = plates.without_failed(at, &wells, table);
        }
        Ok(table)
    }
}

impl Rows for Mended {
    fn each(&self, take: &mut dyn FnMut(RawTable) -> Result<()>) -> Result<Vec<Note>> {
        let mut notes = self.tables.notes().to_vec();
        for at in 0..self.tables.tables() {
            let mut table = self.table(at)?;
            join_notes(&mut notes, table.take_notes());
            take(table)?;
        }
        Ok(notes)
    }

    fn size(&self) -> PartSize {
        self.tables.size()
    }

    fn is_divided(&self) -> bool {
        self.tables.is_divided()
    }

    fn plates_are_whole(&self) -> bool {
        true
    }
}

fn limits(args: &PlateArgs) -> Result<PlateLimits> {
    if args.min_z_prime.is_nan() || args.min_z_prime > 1.0 {
        return Err(Error::parameter("--min-z-prime", args.min_z_prime, "a number, at most 1"));
    }
    if args.max_control_cv.is_nan() || args.max_control_cv <= 0.0 {
        return Err(Error::parameter("--max-control-cv", args.max_control_cv, "a number above 0"));
    }
    Ok(PlateLimits { z_prime: args.min_z_prime, control_cv: args.max_control_cv, ..PlateLimits::default() })
}

/// A plate with its quality.
struct JudgedPlate {
    /// Its table, and its position there.
    place: (usize, usize),
    /// The row of the file that has its first well.
    first_row: usize,
    /// Plate, cell line and time, as the file has them.
    names: [String; 3],
    treated: u32,
    quality: PlateQuality,
}

/// The plates of a file, in its order.
struct Plates {
    format: Option<PlateFormat>,
    all: Vec<JudgedPlate>,
    correction: PositionCorrection,
}

impl Plates {
    fn of(tables: &PlateTables, limits: &PlateLimits) -> Result<Self> {
        let mut plates = Self { format: None, all: Vec::new(), correction: PositionCorrection::default() };
        for at in 0..tables.tables() {
            let table = tables.table(at)?;
            let Some(wells) = plate_wells(&table)? else { continue };
            plates.format = wells.format.map(|[rows, columns]| PlateFormat { rows, columns });
            for (own, plate) in wells.plates.iter().enumerate() {
                let kinds = plate.wells.iter().map(|row| wells.kind[*row as usize]);
                let first = plate.wells.iter().map(|row| table.row_of(*row as usize)).next();
                plates.all.push(JudgedPlate {
                    place: (at, own),
                    first_row: first.unwrap_or_default(),
                    names: [plate.plate.clone(), plate.cell_line.clone(), plate.time.clone()],
                    treated: kinds.filter(|kind| *kind == WellKind::Treated).count() as u32,
                    quality: plate_quality(&wells_of(&wells, own), plates.format, limits),
                });
            }
        }
        plates.all.sort_by_key(|plate| plate.first_row);
        Ok(plates)
    }

    fn qualities(&self) -> impl Iterator<Item = &PlateQuality> {
        self.all.iter().map(|plate| &plate.quality)
    }

    /// The plates of one table: positions in the list of all, and in the table.
    fn of_table(&self, table: usize) -> impl Iterator<Item = (usize, usize)> {
        let own = self.all.iter().enumerate().filter(move |(_, plate)| plate.place.0 == table);
        own.map(|(at, plate)| (at, plate.place.1))
    }

    /// The plates as pictures, those that fail first; none where nothing says where wells lie.
    fn cards(&self, tables: &PlateTables) -> Result<PlateCards> {
        let Some(format) = self.format else { return Ok(PlateCards::default()) };
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        order.sort_by_key(|at| (self.all[*at].quality.passes(), self.all[*at].quality.flags.is_empty()));
        order.truncate(PlateCards::MOST);
        let mut cards: Vec<Option<Card>> = vec![None; order.len()];
        for table in 0..tables.tables() {
            let shown = |(at, own)| Some((order.iter().position(|other| *other == at)?, at, own));
            let shown: Vec<(usize, usize, usize)> = self.of_table(table).filter_map(shown).collect();
            if shown.is_empty() {
                continue;
            }
            let Some(wells) = plate_wells(&tables.table(table)?)? else { continue };
            for (place, at, own) in shown {
                cards[place] = Some(self.card(at, &wells, own, format));
            }
        }
        Ok(PlateCards { cards: cards.into_iter().flatten().collect(), all: self.all.len() })
    }

    fn card(&self, at: usize, wells: &PlateWells, own: usize, format: PlateFormat) -> Card {
        let quality = &self.all[at].quality;
        let well = |row: &u32| {
            let row = *row as usize;
            let [line, column] = wells.place[row]?;
            let kind = match wells.kind[row] {
                WellKind::Treated => halfmax_report::WellKind::Treated,
                WellKind::Control => halfmax_report::WellKind::Untreated,
                WellKind::Positive | WellKind::Blank => halfmax_report::WellKind::Background,
                _ => halfmax_report::WellKind::LeftOut,
            };
            let place = |number: u16| usize::from(number.saturating_sub(1));
            Some(Well { row: place(line), column: place(column), value: wells.signal[row], kind })
        };
        let number = |name: &str, value: f64| {
            let value = if value.is_finite() { format!("{value:.2}") } else { "–".into() };
            Measure { name: name.into(), value, interval: String::new() }
        };
        Card {
            title: self.name(at),
            subtitle: String::new(),
            flags: quality.flags.iter().map(|flag| flag.name().replace('_', " ")).collect(),
            picture: Picture::Plate(PlatePicture {
                rows: format.rows.into(),
                columns: format.columns.into(),
                measure: "signal".into(),
                wells: wells.plates[own].wells.iter().filter_map(well).collect(),
                description: format!("signals of the wells of {}", self.name(at)),
            }),
            measures: vec![
                number("Z′", quality.z_prime),
                number("SSMD", quality.ssmd),
                number("control CV", quality.control_cv),
                number("edge", quality.effects.edge.share()),
                number("rows", quality.effects.rows.share()),
                number("columns", quality.effects.columns.share()),
            ],
        }
    }

    fn have_controls(&self) -> bool {
        self.qualities().any(|quality| quality.negative.wells > 0)
    }

    fn name(&self, at: usize) -> String {
        let parts = self.all[at].names.iter().filter(|part| !part.is_empty());
        match parts.cloned().collect::<Vec<String>>().join(", ") {
            name if name.is_empty() => "the only plate".to_owned(),
            name => name,
        }
    }

    /// Plates with a flag.
    fn with(&self, flag: PlateFlag) -> Vec<usize> {
        (0..self.all.len()).filter(|at| self.all[*at].quality.flags.contains(&flag)).collect()
    }

    fn failed(&self) -> Vec<usize> {
        (0..self.all.len()).filter(|at| !self.all[*at].quality.passes()).collect()
    }

    fn learn(&mut self, which: Corrected) {
        let effects: Vec<_> = self.qualities().map(|quality| quality.effects).collect();
        self.correction = PositionCorrection::learnt(&effects, which);
    }

    /// Where controls cross on most plates, their names are likely to be the wrong way round.
    fn refuse_swapped(&self, label: &str) -> Result<()> {
        let all: Vec<usize> =
            (0..self.all.len()).filter(|at| self.all[*at].quality.positive.wells > 0).collect();
        let swapped =
            |at: &&usize| self.all[**at].quality.positive.mean >= self.all[**at].quality.negative.mean;
        let own: Vec<&usize> = all.iter().filter(swapped).collect();
        let Some(first) = own.first().filter(|_| 2 * own.len() > all.len()) else { return Ok(()) };
        let quality = &self.all[**first].quality;
        Err(Error::data(format!(
            "{label}: positive controls lie above the untreated wells on {}, for example on {} (means {:.4} and {:.4})",
            counted(own.len(), "plate"),
            self.name(**first),
            quality.positive.mean,
            quality.negative.mean
        ))
        .help("their names may be the wrong way round: correct the column of kinds of wells; or, if the signal rises as cells die, give viabilities or inhibitions instead of signals"))
    }

    fn notes(&self, args: &PlateArgs, which: Corrected) -> Vec<String> {
        let asked = args.plates.is_some() || args.drop_failed_plates;
        let known = asked || self.qualities().any(|quality| quality.low.is_some());
        let mut notes: Vec<String> = known.then(|| self.summary(args)).into_iter().collect();
        let failed = self.failed();
        if !failed.is_empty() {
            let named: Vec<String> = failed.iter().map(|at| self.described(*at)).collect();
            notes.push(format!(
                "{} of {} fail: {}; {}",
                failed.len(),
                counted(self.all.len(), "plate"),
                listed(&named, 5),
                if args.drop_failed_plates {
                    "left out, as you asked"
                } else {
                    "used all the same: --drop-failed-plates leaves them out"
                }
            ));
        }
        for (flag, what, correct) in
            [(PlateFlag::EdgeEffect, "the edge", "edge"), (PlateFlag::Drift, "a drift", "drift")]
        {
            let plates = self.with(flag);
            if !plates.is_empty() {
                let named: Vec<String> = plates.iter().map(|at| self.effects(*at)).collect();
                let done = if correct == "edge" { which.edge } else { which.drift };
                let mend = if done { "taken out, as you asked" } else { "not taken out" };
                notes.push(format!(
                    "{what} changes the signal of untreated wells on {}: {}; {mend} (--correct {correct})",
                    counted(plates.len(), "plate"),
                    listed(&named, 5)
                ));
            }
        }
        if self.format.is_none() && (args.plates.is_some() || which != Corrected::default()) {
            notes.push("nothing says where wells lie: effects of the position are not estimated; add a column well (A01), or well_row and well_column".into());
        }
        if which != Corrected::default() {
            notes.push(self.what_was_corrected());
        }
        notes
    }

    /// How many plates, and how good.
    fn summary(&self, args: &PlateArgs) -> String {
        let middle = |of: &dyn Fn(&PlateQuality) -> f64| {
            let mut values: Vec<f64> = self.qualities().map(of).filter(|value| value.is_finite()).collect();
            values.sort_unstable_by(f64::total_cmp);
            let lowest = values.first().copied()?;
            let middle = values.len() / 2;
            let below = values.get(if values.len().is_multiple_of(2) { middle - 1 } else { middle })?;
            Some([(below + values.get(middle)?) / 2.0, lowest, *values.last()?])
        };
        let mut text = counted(self.all.len(), "plate");
        if !args.correct.is_empty() {
            text += ", after correction";
        }
        text += &match middle(&|quality| quality.z_prime) {
            Some([median, low, high]) => format!(": Z' is {median:.2} in the median ({low:.2} to {high:.2})"),
            None => ": Z' is not known (it needs two positive controls or two blanks)".to_owned(),
        };
        if let Some([median, _, high]) = middle(&|quality| quality.control_cv) {
            text += &format!(
                ", the variation of untreated wells {:.0} % (at most {:.0} %)",
                100.0 * median,
                100.0 * high
            );
        }
        text
    }

    /// A plate that fails, and by what.
    fn described(&self, at: usize) -> String {
        let quality = &self.all[at].quality;
        let why = |flag: &PlateFlag| match flag {
            PlateFlag::LowZPrime => format!("Z' {:.2}", quality.z_prime),
            PlateFlag::HighControlCv => format!("control CV {:.0} %", 100.0 * quality.control_cv),
            PlateFlag::ControlsCross => "controls cross".to_owned(),
            flag => flag.name().replace('_', " "),
        };
        let flags: Vec<String> = quality.flags.iter().filter(|flag| flag.fails()).map(why).collect();
        format!("{} ({})", self.name(at), flags.join(", "))
    }

    /// The effects of the position on a plate, in words.
    fn effects(&self, at: usize) -> String {
        let effects = &self.all[at].quality.effects;
        let parts = [("edge", effects.edge), ("rows", effects.rows), ("columns", effects.columns)];
        let known = parts.iter().filter(|(_, effect)| effect.p < 0.01);
        let parts: Vec<String> =
            known.map(|(name, effect)| format!("{name} {:+.0} %", 100.0 * effect.share())).collect();
        format!("{} ({})", self.name(at), parts.join(", "))
    }

    /// For each plate the largest effect that is taken out of its signals, as a share.
    fn corrections(&self) -> impl Iterator<Item = f64> {
        (0..self.all.len()).map(|at| {
            let effects = self.correction.taken_out(&self.all[at].quality.effects);
            effects.into_iter().map(|ln| ln.exp_m1().abs()).fold(0.0, f64::max)
        })
    }

    /// Whether any effect is taken out.
    fn any_correction(&self) -> bool {
        self.corrections().any(|size| size > 0.0)
    }

    fn what_was_corrected(&self) -> String {
        let mut sizes: Vec<f64> = self.corrections().filter(|size| *size > 0.0).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        match sizes.last() {
            None => "nothing was corrected: the untreated wells show no effect of the position beyond chance, or do not lie where one would show".to_owned(),
            Some(most) => format!(
                "effects of the position taken out of {} of {}: {:.1} % of the signal in the median, at most {:.1} %",
                sizes.len(),
                counted(self.all.len(), "plate"),
                100.0 * sizes[sizes.len() / 2],
                100.0 * most
            ),
        }
    }

    /// The signals of a table without the effects of the position.
    fn corrected(&self, table: usize, wells: &PlateWells) -> Vec<f64> {
        let mut signals = wells.signal.to_vec();
        let Some(format) = self.format else { return signals };
        for (at, own) in self.of_table(table) {
            let quality = &self.all[at].quality;
            let blank = if quality.blank.wells > 0 { quality.blank.mean } else { 0.0 };
            for row in wells.plates[own].wells.iter().map(|row| *row as usize) {
                let cells = matches!(wells.kind[row], WellKind::Treated | WellKind::Control);
                if let (true, Some(place)) = (cells, wells.place[row]) {
                    let factor = self.correction.factor(&quality.effects, format, place);
                    signals[row] = (blank + (signals[row] - blank) / factor).max(0.0);
                }
            }
        }
        signals
    }

    /// Judges the plates by what is left without the effects of the position. The effects stay as they were found.
    fn correct(&mut self, tables: &PlateTables, limits: &PlateLimits) -> Result<()> {
        let Some(format) = self.format else { return Ok(()) };
        let mut judged = Vec::new();
        for table in 0..tables.tables() {
            let Some(mut wells) = plate_wells(&tables.table(table)?)? else { continue };
            wells.signal = Arc::new(self.corrected(table, &wells));
            for (at, own) in self.of_table(table) {
                let before = &self.all[at].quality;
                let mut after = plate_quality(&wells_of(&wells, own), Some(format), limits);
                after.effects = before.effects;
                after.flags.retain(|flag| !flag.is_of_position());
                after.flags.extend(before.flags.iter().filter(|flag| flag.is_of_position()));
                judged.push((at, after));
            }
        }
        judged.into_iter().for_each(|(at, quality)| self.all[at].quality = quality);
        Ok(())
    }

    /// A table without the wells of plates that fail.
    fn without_failed(&self, table_at: usize, wells: &PlateWells, table: RawTable) -> RawTable {
        let fails = |(at, own): (usize, usize)| (!self.all[at].quality.passes()).then_some(own);
        let failed: Vec<usize> = self.of_table(table_at).filter_map(fails).collect();
        if failed.is_empty() {
            return table;
        }
        // Blanks are shared by the cell lines of a plate: they leave with the last.
        let rows: Vec<u32> = failed
            .iter()
            .flat_map(|own| &wells.plates[*own].wells)
            .copied()
            .filter(|row| wells.kind[*row as usize] != WellKind::Blank)
            .collect();
        let note = Note::of(rows.len(), "well")
            .then(" of ")
            .count(failed.len(), "plate")
            .then(" that fail left out (--drop-failed-plates)");
        table.without_rows(&rows, note)
    }

    fn facts(&self, args: &PlateArgs) -> Value {
        let names = |plates: Vec<usize>| plates.into_iter().map(|at| self.name(at)).collect::<Vec<String>>();
        json!({
            "count": self.all.len(),
            "failed": names(self.failed()),
            "edge_effect": names(self.with(PlateFlag::EdgeEffect)),
            "drift": names(self.with(PlateFlag::Drift)),
            "failed_left_out": args.drop_failed_plates,
            "corrected": args.correct.iter().map(|effect| spelt(*effect)).collect::<Vec<_>>(),
            "min_z_prime": args.min_z_prime,
            "max_control_cv": args.max_control_cv,
        })
    }

    /// Writes one row per plate.
    fn write(&self, path: &Path, files: &OutputSet) -> Result<()> {
        let mut writer = TableWriter::create(path)?;
        let names =
            |place: usize| self.all.iter().map(|plate| plate.names[place].as_str()).collect::<Vec<&str>>();
        let texts = [names(0), names(1), names(2)];
        let count = |of: &dyn Fn(&PlateQuality) -> usize| -> Vec<u32> {
            self.qualities().map(|quality| of(quality) as u32).collect()
        };
        let counts = [
            ("treated_wells", self.all.iter().map(|plate| plate.treated).collect()),
            ("control_wells", count(&|quality| quality.negative.wells)),
            ("positive_wells", count(&|quality| quality.positive.wells)),
            ("blank_wells", count(&|quality| quality.blank.wells)),
        ];
        let numbers = self.numbers();
        let low: Vec<&str> = self.qualities().map(|quality| quality.low.map_or("", WellUse::name)).collect();
        let passes: Vec<&str> =
            self.qualities().map(|quality| if quality.passes() { "yes" } else { "no" }).collect();
        let flags: Vec<String> = self
            .qualities()
            .map(|quality| quality.flags.iter().map(|flag| flag.name()).collect::<Vec<&str>>().join(";"))
            .collect();
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut columns: Vec<(&str, OutputColumn)> = ["plate", "cell_line", "time"]
            .into_iter()
            .zip(&texts)
            .filter(|(name, values)| *name == "plate" || values.iter().any(|value| !value.is_empty()))
            .map(|(name, values)| (name, OutputColumn::Text(values)))
            .collect();
        columns.extend(counts.iter().map(|(name, values)| (*name, OutputColumn::U32(values))));
        columns.push(("low_control", OutputColumn::Text(&low)));
        columns.extend(numbers.iter().map(|(name, values)| (*name, OutputColumn::F64(values))));
        columns.push(("passes", OutputColumn::Text(&passes)));
        columns.push(("flags", OutputColumn::Text(&flags)));
        writer.write(&columns)?;
        writer.finish_into(files)
    }

    fn numbers(&self) -> Vec<(&'static str, Vec<f64>)> {
        let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
        let of = |value: &dyn Fn(&PlateQuality) -> f64| -> Vec<f64> {
            self.qualities().map(|quality| finite(value(quality))).collect()
        };
        let out = |term: usize| -> Vec<f64> {
            let taken = |quality: &PlateQuality| self.correction.taken_out(&quality.effects)[term].exp_m1();
            self.qualities().map(taken).collect()
        };
        vec![
            ("control_mean", of(&|quality| quality.negative.mean)),
            ("control_sd", of(&|quality| quality.negative.sd)),
            ("control_cv", of(&|quality| quality.control_cv)),
            ("positive_mean", of(&|quality| quality.positive.mean)),
            ("positive_sd", of(&|quality| quality.positive.sd)),
            ("blank_mean", of(&|quality| quality.blank.mean)),
            ("blank_sd", of(&|quality| quality.blank.sd)),
            ("z_prime", of(&|quality| quality.z_prime)),
            ("robust_z_prime", of(&|quality| quality.robust_z_prime)),
            ("ssmd", of(&|quality| quality.ssmd)),
            ("robust_ssmd", of(&|quality| quality.robust_ssmd)),
            ("signal_window", of(&|quality| quality.signal_window)),
            ("signal_to_background", of(&|quality| quality.signal_to_background)),
            ("edge_effect", of(&|quality| quality.effects.edge.share())),
            ("edge_p", of(&|quality| quality.effects.edge.p)),
            ("row_drift", of(&|quality| quality.effects.rows.share())),
            ("row_p", of(&|quality| quality.effects.rows.p)),
            ("column_drift", of(&|quality| quality.effects.columns.share())),
            ("column_p", of(&|quality| quality.effects.columns.p)),
            ("edge_taken_out", out(0)),
            ("row_drift_taken_out", out(1)),
            ("column_drift_taken_out", out(2)),
        ]
    }
}

/// The wells of one plate, as the numerics take them.
fn wells_of(wells: &PlateWells, plate: usize) -> Vec<PlateWell> {
    let of = |row: &u32| {
        let row = *row as usize;
        let holds = match wells.kind[row] {
            WellKind::Treated => WellUse::Treated,
            WellKind::Control => WellUse::NegativeControl,
            WellKind::Positive => WellUse::PositiveControl,
            WellKind::Blank => WellUse::Blank,
            WellKind::Other => WellUse::Other,
        };
        PlateWell { holds, place: wells.place[row], signal: wells.signal[row] }
    };
    wells.plates[plate].wells.iter().map(of).collect()
}
