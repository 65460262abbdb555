//! Converts raw signals (luminescence, cell counts) to viabilities with the untreated wells.
//!
//! The viability of a well is (signal − blank) / (control − blank), where control and blank are means over the
//! untreated and the empty wells of its plate; without plates, of its cell line (and time). If the signal at the time
//! of treatment is known, the number of divisions of the control is log2(control / time zero) (Hafner et al. 2016).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use halfmax_core::{Error, Result, listed};

use crate::note::Note;
use crate::roles::Role;
use crate::table::{Labels, RawColumn, RawTable, RowPlaces, Values};

/// The kind of a well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Well {
    Treated,
    /// Untreated, or treated with the vehicle alone. If a plate has both, vehicle wells are preferred.
    Control {
        preferred: bool,
    },
    /// Without cells.
    Blank,
    /// Read at the time of treatment.
    TimeZero,
    /// A positive control: cells with a treatment that kills them.
    Positive,
    /// A failed or an unused well.
    Aside,
}

/// Converts a table of raw signals to viabilities. `None` if it has no column of signals, or a column of normalised
/// readings.
///
/// # Errors
/// If a plate has no untreated wells, or its untreated wells are not above its blanks. The error names the plate.
pub(crate) fn normalised(table: &RawTable) -> Result<Option<RawTable>> {
    let Some(signal) = signal_column(table) else { return Ok(None) };
    let signals = crate::readings::finite(table, signal, "a signal, 0 or more")?;
    if let Some(at) = signals.iter().position(|value| *value < 0.0) {
        return Err(table.bad_value(signal, at, signals[at], "a signal, 0 or more").with_help(
            "a plate reader never gives less than 0: if the background was already subtracted, add it again or write 0; leave failed readings empty",
        ));
    }
    let plates = Plates::of(table)?;
    let wells = wells(table)?;
    let beside = |role: Role| table.role(role).map(|column| table.numbers(column, "a signal")).transpose();
    let (controls, time_zeros) = (beside(Role::Control)?, beside(Role::TimeZero)?);
    let references =
        plates.references(table, &signals, &wells, controls.as_ref().map(|values| values.as_slice()))?;
    let mut kept = Vec::new();
    let (mut viability, mut divisions) = (Vec::new(), Vec::new());
    let mut without_growth = 0;
    for row in (0..wells.len()).filter(|row| wells[*row] == Well::Treated) {
        let reference = references.at(row);
        let control = controls.as_ref().map_or(reference.control, |controls| controls[row]);
        if let (Some(column), true) = (table.role(Role::Control), control <= reference.blank) {
            let expected = format!("the signal of untreated wells, above {:.4}", reference.blank);
            return Err(table.bad_value(column, row, control, &expected));
        }
        let zero = time_zeros.as_ref().map_or(reference.time_zero, |zeros| zeros[row]);
        without_growth += usize::from(zero > 0.0 && control <= zero);
        kept.push(row);
        viability.push((signals[row] - reference.blank) / (control - reference.blank));
        divisions.push(if zero > 0.0 && control > zero { (control / zero).log2() } else { f64::NAN });
    }
    let mut notes = notes(table, signal, &wells, &plates);
    notes.extend(below_blanks(&viability));
    if without_growth > 0 {
        notes.push(
            Note::new("the control did not grow between time zero and the end for ")
                .count(without_growth, "well")
                .then(": no growth-rate metrics there"),
        );
    }
    if divisions.iter().any(|value| value.is_finite()) {
        notes.push("divisions of the control are log2(control / time zero)".into());
    }
    built(table, &kept, viability, divisions, notes).map(Some)
}

/// The error for a table without treated wells.
pub(crate) fn nothing_treated(label: &str) -> Error {
    Error::data(format!("{label}: no treated wells: every row is a control, a blank or set aside"))
        .with_help("check the column of well kinds: use the words treated, control and blank")
}

/// The variation of blanks does not explain a viability below this value.
const FAR_BELOW: f64 = -0.1;

/// A note on treated wells with a signal far below the blanks.
fn below_blanks(viability: &[f64]) -> Option<Note> {
    let below = viability.iter().filter(|viability| **viability < FAR_BELOW).count();
    (below > 0).then(|| {
        Note::new("below the blanks by more than a tenth of the control: ")
            .count(below, "treated well")
            .then("; do the blanks really contain no cells?")
    })
}

/// The column of raw signals, if no column holds normalised readings.
pub(crate) fn signal_column(table: &RawTable) -> Option<usize> {
    let signal = table.role(Role::Signal)?;
    let reading = table.role(Role::Reading);
    let said = table.said.iter().any(|(role, _)| *role == Role::Signal);
    (said || reading.is_none()).then_some(signal)
}

/// Notes on the plates and their wells.
fn notes(table: &RawTable, signal: usize, wells: &[Well], plates: &Plates) -> Vec<Note> {
    let count = |is: fn(&Well) -> bool| wells.iter().filter(|well| is(well)).count();
    let controls = count(|well| matches!(well, Well::Control { .. }));
    let mut divided = Note::new(format!("{:?} holds raw signals: divided by ", table.names()[signal]));
    divided = match table.role(Role::Control) {
        Some(column) => divided.then(format!("the column {:?}", table.names()[column])),
        None => divided.then("the mean of ").count(controls, "untreated well"),
    };
    let blanks = count(|well| *well == Well::Blank);
    divided = divided.count_if_any(", both less the mean of ", blanks, "blank");
    let mut notes = table.notes.clone();
    notes.push(divided.then(format!(", by {}", plates.what)));
    let aside = count(|well| matches!(well, Well::Positive | Well::Aside));
    if aside > 0 {
        notes.push(Note::new("positive controls, failed and unused wells left out: ").count(aside, ""));
    }
    notes
}

/// The wells that share their controls: one plate and cell line, or, without plates, one cell line and experiment.
pub(crate) struct Plates {
    /// The name of a group in words: "plate".
    pub what: String,
    /// The plate (or experiment) of each row.
    pub plate_of_row: Vec<usize>,
    pub plates: Vec<String>,
    /// The cell line of each row; `None` for rows without a cell line, such as blanks.
    pub line_of_row: Vec<Option<usize>>,
    pub lines: Vec<String>,
}

impl Plates {
    pub fn of(table: &RawTable) -> Result<Self> {
        let plate = table.role(Role::Plate).or_else(|| table.role(Role::Experiment));
        let cell_line = table.role(Role::CellLine);
        let what: Vec<&str> =
            plate.iter().chain(&cell_line).map(|column| table.names()[*column].as_str()).collect();
        let labels = |column: Option<usize>| column.map(|column| table.labels(column)).transpose();
        let (plates, lines) = (labels(plate)?, labels(cell_line)?);
        let of = |labels: &Option<Arc<Labels>>, row: usize| {
            let label = labels.as_ref().map(|labels| labels.of_row[row])?;
            (label != Labels::MISSING).then_some(label as usize)
        };
        let no_plate = plates.as_ref().map_or(0, |labels| labels.names.len());
        let rows = 0..table.rows();
        Ok(Self {
            what: if what.is_empty() { "all wells together".into() } else { what.join(" and ") },
            plate_of_row: rows.clone().map(|row| of(&plates, row).unwrap_or(no_plate)).collect(),
            line_of_row: rows.map(|row| of(&lines, row)).collect(),
            plates: plates.map_or_else(Vec::new, |labels| labels.names.clone()),
            lines: lines.map_or_else(Vec::new, |labels| labels.names.clone()),
        })
    }

    /// The plate and cell line of a row, for messages.
    pub fn named(&self, row: usize) -> String {
        let plate = self.plates.get(self.plate_of_row[row]).map(String::as_str);
        let line = self.line_of_row[row].map(|line| self.lines[line].as_str());
        plate.into_iter().chain(line).collect::<Vec<&str>>().join(", ")
    }

    fn references(
        &self,
        table: &RawTable,
        signals: &[f64],
        wells: &[Well],
        controls: Option<&[f64]>,
    ) -> Result<References> {
        let times = times(table)?;
        let sums = Sums::of(self, signals, wells, &times);
        let mut known: BTreeMap<Place, Reference> = BTreeMap::new();
        let mut of_row = Vec::new();
        for row in 0..signals.len() {
            let place = (self.plate_of_row[row], self.line_of_row[row], times[row].to_bits());
            if wells[row] == Well::Treated && !known.contains_key(&place) {
                let reference = sums.reference(self, row, times[row]);
                if controls.is_none() {
                    self.check(table, row, &reference)?;
                }
                known.insert(place, reference);
            }
            of_row.push(place);
        }
        Ok(References { known, of_row })
    }

    /// Refuses wells without a control, or with a control that is not above the blanks.
    fn check(&self, table: &RawTable, row: usize, reference: &Reference) -> Result<()> {
        let place = format!("{}: {} {}", table.label(), self.what, self.named(row));
        if reference.control.is_nan() {
            return Err(Error::data(format!("{place}: no untreated wells to normalise the signals"))
                .with_help("mark them as control in a column of well kinds, as rows of the drug DMSO, or as rows of dose 0; or give their mean in a column \"control\" or in a separate table (`--control FILE`, and `--time-zero FILE` for the signals at the time of treatment); or leave these wells out with `where` (`--where`, or `--drop-failed-plates` for all such plates)"));
        }
        if reference.control <= reference.blank {
            return Err(Error::data(format!(
                "{place}: its untreated wells (mean {:.4}) are not above its blanks (mean {:.4})",
                reference.control, reference.blank
            ))
            .with_help("leave the plate out with `where` (`--where`), or correct the kinds of its wells"));
        }
        Ok(())
    }
}

/// The means that normalise the signals of one plate.
#[derive(Clone, Copy, Debug)]
struct Reference {
    control: f64,
    blank: f64,
    time_zero: f64,
}

/// Plate, cell line and time.
type Place = (usize, Option<usize>, u64);

struct References {
    known: BTreeMap<Place, Reference>,
    of_row: Vec<Place>,
}

impl References {
    fn at(&self, row: usize) -> Reference {
        let nothing = Reference { control: f64::NAN, blank: 0.0, time_zero: f64::NAN };
        self.known.get(&self.of_row[row]).copied().unwrap_or(nothing)
    }
}

/// Sum and number of signals.
type Sum = (f64, f64);

/// The sums of the signals of controls, blanks and time-zero wells by plate, cell line and time.
#[derive(Default)]
struct Sums {
    /// Preferred controls, and the others.
    controls: [BTreeMap<Place, Sum>; 2],
    blanks: BTreeMap<usize, Sum>,
    time_zeros: BTreeMap<(usize, Option<usize>), Sum>,
    time_zeros_of_lines: BTreeMap<Option<usize>, Sum>,
    /// The cell lines of each plate.
    lines: BTreeMap<usize, BTreeSet<usize>>,
}

impl Sums {
    fn of(plates: &Plates, signals: &[f64], wells: &[Well], times: &[f64]) -> Self {
        fn add<K: Ord>(to: &mut BTreeMap<K, Sum>, key: K, signal: f64) {
            let sum = to.entry(key).or_default();
            *sum = (sum.0 + signal, sum.1 + 1.0);
        }
        let mut sums = Self::default();
        for (row, signal) in signals.iter().copied().enumerate() {
            let (plate, line) = (plates.plate_of_row[row], plates.line_of_row[row]);
            if let (Well::Treated, Some(line)) = (wells[row], line) {
                sums.lines.entry(plate).or_default().insert(line);
            }
            if signal.is_nan() {
                continue;
            }
            match wells[row] {
                Well::Control { preferred } => {
                    add(
                        &mut sums.controls[usize::from(!preferred)],
                        (plate, line, times[row].to_bits()),
                        signal,
                    );
                }
                Well::Blank => add(&mut sums.blanks, plate, signal),
                Well::TimeZero => {
                    add(&mut sums.time_zeros, (plate, line), signal);
                    add(&mut sums.time_zeros_of_lines, line, signal);
                }
                Well::Treated | Well::Positive | Well::Aside => {}
            }
        }
        sums
    }

    fn reference(&self, plates: &Plates, row: usize, time: f64) -> Reference {
        let (plate, line) = (plates.plate_of_row[row], plates.line_of_row[row]);
        let mean = |sum: Option<&Sum>| sum.map(|(sum, count)| sum / count);
        // Controls without a cell line belong to the only cell line of the plate.
        let only_line = self.lines.get(&plate).is_none_or(|lines| lines.len() <= 1);
        let lines = [line, None];
        let lines = || lines.iter().take(if only_line { 2 } else { 1 });
        let control = self.controls.iter().find_map(|controls| {
            lines().find_map(|line| mean(controls.get(&(plate, *line, time.to_bits()))))
        });
        let time_zero = lines()
            .find_map(|line| mean(self.time_zeros.get(&(plate, *line))))
            .or_else(|| mean(self.time_zeros_of_lines.get(&line)));
        Reference {
            control: control.unwrap_or(f64::NAN),
            blank: mean(self.blanks.get(&plate)).unwrap_or(0.0),
            time_zero: time_zero.unwrap_or(f64::NAN),
        }
    }
}

/// The time of each row; NaN without such a column.
pub(crate) fn times(table: &RawTable) -> Result<Arc<Vec<f64>>> {
    match table.role(Role::Time) {
        Some(column) if table.is_numeric(column) => table.numbers(column, "a time"),
        Some(column) => {
            // Times in words are distinguished, but none counts as time zero.
            let labels = table.labels(column)?;
            Ok(Arc::new(labels.of_row.iter().map(|label| f64::from(*label) + 1.0).collect()))
        }
        None => Ok(Arc::new(vec![f64::NAN; table.rows()])),
    }
}

/// The kind of each well: by the column of well kinds, else by its drug and dose.
pub(crate) fn wells(table: &RawTable) -> Result<Vec<Well>> {
    let times = times(table)?;
    let decided = table.decided.as_ref().and_then(|whole| whole.later_times);
    let later = decided.unwrap_or_else(|| times.iter().any(|time| *time > 0.0));
    let kinds = kinds_of_wells(table)?;
    let kind = |(well, time): (Well, f64)| match well {
        Well::Treated | Well::Control { .. } if later && time == 0.0 => Well::TimeZero,
        well => well,
    };
    Ok(kinds.into_iter().zip(times.iter().copied()).map(kind).collect())
}

/// The kind of each well, whatever its time.
pub(crate) fn kinds_of_wells(table: &RawTable) -> Result<Vec<Well>> {
    match table.role(Role::WellKind) {
        Some(column) => by_kind(table, table.labels(column)?.as_ref()),
        None => {
            let kinds = by_drug_and_dose(table)?;
            refuse_unsaid_kinds(table, &kinds)?;
            Ok(kinds)
        }
    }
}

/// Refuses a table in which drug and dose mark wells as untreated, but a column with an unknown name calls them blanks
/// or positive controls.
fn refuse_unsaid_kinds(table: &RawTable, kinds: &[Well]) -> Result<()> {
    let says_otherwise = |label: &str| matches!(kind_named(label), Well::Blank | Well::Positive);
    for (at, name) in table.names().iter().enumerate() {
        if table.is_ignored(at) || !table.roles_of_column(at).is_empty() {
            continue;
        }
        let Values::Texts(labels) = &table.columns[at].values else { continue };
        let other: Vec<bool> = labels.names.iter().map(|label| says_otherwise(label)).collect();
        let is_other = |label: &u32| other.get(*label as usize).copied().unwrap_or_default();
        let contradicts =
            |(kind, label): (&Well, &u32)| matches!(kind, Well::Control { .. }) && is_other(label);
        if other.contains(&true) && kinds.iter().zip(&labels.of_row).any(contradicts) {
            return Err(Error::data(format!(
                "{}: column {name:?} looks like the kinds of wells ({})",
                table.label(),
                listed(&labels.names, 4)
            ))
            .with_help(format!(
                "declare it: columns = {{ well_kind = {name:?} }} (`--column well_kind={name}`); or ignore it: columns = {{ ignore = {name:?} }} (`--column ignore={name}`)"
            )));
        }
    }
    Ok(())
}

/// Decides by the column of well kinds. If the kind is unknown or missing, the drug and the dose decide.
fn by_kind(table: &RawTable, labels: &Labels) -> Result<Vec<Well>> {
    let kinds: Vec<Well> = labels.names.iter().map(|name| kind_named(name)).collect();
    let has_drugs = table.role(Role::Drug).is_some();
    let otherwise = if has_drugs { by_drug_and_dose(table)? } else { Vec::new() };
    let well = |(row, label): (usize, &u32)| match kinds.get(*label as usize) {
        // A missing drug alone does not make a well of unknown kind a control.
        Some(Well::Treated) => match otherwise.get(row) {
            Some(Well::Control { .. }) if drug_or_dose_is_given(table, row) => otherwise[row],
            _ => Well::Treated,
        },
        Some(kind) => *kind,
        None => otherwise.get(row).copied().unwrap_or(Well::Aside),
    };
    Ok(labels.of_row.iter().enumerate().map(well).collect())
}

/// Whether a row names a drug (a vehicle included) or a dose.
fn drug_or_dose_is_given(table: &RawTable, row: usize) -> bool {
    [Role::Drug, Role::Dose].into_iter().filter_map(|role| table.role(role)).any(|column| {
        match &table.columns[column].values {
            Values::Numbers(values) => !values[row].is_nan(),
            Values::Singles(values) => !values[row].is_nan(),
            Values::Texts(labels) => labels.at(row).is_some(),
            Values::Other(_) => false,
        }
    })
}

/// Whether a table has untreated wells: rows of dose 0 or of a vehicle.
pub(crate) fn has_untreated_wells(table: &RawTable) -> Result<bool> {
    if table.role(Role::Control).is_some() {
        return Ok(true);
    }
    if table.role(Role::Drug).is_none() && table.role(Role::WellKind).is_none() {
        return Ok(false);
    }
    Ok(wells(table)?.iter().any(|well| matches!(well, Well::Control { .. })))
}

/// The kind of a well with this label. GDSC's tags are NC-0 (untreated), NC-1 (vehicle), B (blank), PC (positive
/// control), and those of libraries.
fn kind_named(name: &str) -> Well {
    let plain = crate::columns::plain(name);
    let starts = |words: &[&str]| words.iter().any(|word| plain.starts_with(word));
    match () {
        () if plain == "b"
            || starts(&["blank", "background", "nocell", "empty", "mediaonly", "mediumonly", "bg"]) =>
        {
            Well::Blank
        }
        () if starts(&["controlpos", "ctrlpos", "ctlpos", "control+", "ctrl+", "positive"]) => Well::Positive,
        () if starts(&["untreated", "nc0", "nontreated", "nodrug"]) => Well::Control { preferred: false },
        () if starts(&[
            "nc", "neg", "control", "ctrl", "ctlveh", "ctluntr", "ctlneg", "vehicle", "dmso", "solvent",
            "mock", "veh",
        ]) =>
        {
            Well::Control { preferred: true }
        }
        () if plain.contains("poscon") || starts(&["pc", "pos", "kill"]) => Well::Positive,
        () if starts(&["unused", "fail", "max"]) => Well::Aside,
        () if starts(&["time0", "timezero", "t0", "day0", "tz"]) => Well::TimeZero,
        () => Well::Treated,
    }
}

/// Whether a name means a vehicle or an untreated well.
pub(crate) fn is_vehicle(name: &str) -> bool {
    let plain = crate::columns::plain(name);
    [
        "dmso",
        "vehicle",
        "control",
        "ctrl",
        "untreated",
        "negativecontrol",
        "negcontrol",
        "nodrug",
        "solvent",
        "media",
        "medium",
        "mock",
        "nontreated",
        "dmsocontrol",
        "vehiclecontrol",
        "solventcontrol",
        "veh",
        "nontreatedcontrol",
        "untreatedcontrol",
        "notreatment",
        "neg",
        "nc",
        "water",
        "pbs",
        "h2o",
    ]
    .contains(&plain.as_str())
}

fn by_drug_and_dose(table: &RawTable) -> Result<Vec<Well>> {
    let drugs = table.labels(table.require(Role::Drug)?)?;
    let doses = table.role(Role::Dose).map(|column| table.numbers(column, "a dose")).transpose()?;
    let vehicle: Vec<bool> = drugs.names.iter().map(|name| is_vehicle(name)).collect();
    let well = |row: usize| {
        let dose = doses.as_ref().map_or(f64::NAN, |doses| doses[row]);
        match drugs.of_row[row] {
            Labels::MISSING if dose.is_nan() || dose == 0.0 => Well::Control { preferred: true },
            Labels::MISSING => Well::Aside,
            drug if vehicle[drug as usize] => Well::Control { preferred: true },
            _ if dose == 0.0 => Well::Control { preferred: true },
            _ if dose.is_nan() => Well::Aside,
            _ => Well::Treated,
        }
    };
    Ok((0..table.rows()).map(well).collect())
}

/// The table of the treated wells with their viabilities.
pub(crate) fn built(
    table: &RawTable,
    kept: &[usize],
    viability: Vec<f64>,
    divisions: Vec<f64>,
    notes: Vec<Note>,
) -> Result<RawTable> {
    let treated = table.with_rows(kept);
    let spent = [Role::Signal, Role::Reading, Role::Control, Role::TimeZero, Role::WellKind];
    let is_spent = |column: usize| {
        let of_role = |role: &Role| table.candidates(*role).iter().any(|other| other.column == column);
        table.names()[column] == VIABILITY || spent.iter().any(of_role)
    };
    let mut columns: Vec<RawColumn> = (0..table.names().len())
        .filter(|column| !is_spent(*column))
        .map(|column| treated.columns[column].clone())
        .collect();
    columns.push(RawColumn { name: VIABILITY.into(), values: Values::numbers(viability) });
    let divided = divisions.iter().any(|value| value.is_finite());
    if divided && table.role(Role::Divisions).is_none() {
        columns.push(RawColumn { name: "divisions".into(), values: Values::numbers(divisions) });
    }
    let places = kept.iter().map(|row| table.row_of(*row) as u32).collect();
    let mut built = table.with_columns(columns, notes)?;
    built.places = RowPlaces::Listed(places);
    built.rows = kept.len();
    built.keep_what_was_said(table);
    if let Some(column) = built.position_of(VIABILITY) {
        built.said.push((Role::Reading, column));
    }
    Ok(built)
}

/// The name of the new column of viabilities.
const VIABILITY: &str = "viability_fraction";

/// Whether columns of a role decide which wells share an untreated well. Drugs and doses do not, because untreated
/// wells have none.
fn joins(own: Role, wanted: Role) -> bool {
    match own {
        Role::CellLine | Role::Plate | Role::Experiment | Role::Replicate | Role::Study => true,
        Role::Time => wanted != Role::TimeZero,
        _ => false,
    }
}

/// Joins a column of another table by the common columns. Several rows with one key are averaged.
///
/// # Errors
/// If the tables have no common column, the other table lacks the role, or a row has no partner.
pub fn with_column_of(table: &RawTable, other: &RawTable, role: Role) -> Result<RawTable> {
    let value = other.require(role).or_else(|_| other.require(Role::Signal))?;
    let shared: Vec<(usize, usize)> = table
        .names()
        .iter()
        .enumerate()
        .filter(|(at, _)| table.roles_of_column(*at).iter().any(|own| joins(*own, role)))
        .filter_map(|(at, name)| Some((at, other.find(&[name])?)))
        .filter(|(_, there)| *there != value)
        .collect();
    if shared.is_empty() {
        return Err(Error::data(format!(
            "{} and {} have no common column to join them",
            table.label(),
            other.label()
        ))
        .with_help(format!(
            "add a column of cell lines to both tables; they have {} and {}",
            listed(table.names(), 8),
            listed(other.names(), 8)
        )));
    }
    let keys = |table: &RawTable,
                columns: &mut dyn Iterator<Item = usize>|
     -> Result<Vec<Vec<Option<String>>>> {
        let texts: Vec<Vec<Option<String>>> =
            columns.map(|column| table.texts(column)).collect::<Result<_>>()?;
        Ok((0..table.rows()).map(|row| texts.iter().map(|column| column[row].clone()).collect()).collect())
    };
    let mut sums: BTreeMap<Vec<Option<String>>, (f64, f64)> = BTreeMap::new();
    let values = other.numbers(value, "a signal")?;
    for (key, value) in
        keys(other, &mut shared.iter().map(|(_, there)| *there))?.into_iter().zip(values.iter())
    {
        if !value.is_nan() {
            let sum = sums.entry(key).or_default();
            *sum = (sum.0 + value, sum.1 + 1.0);
        }
    }
    let mut joined = Vec::new();
    for (row, key) in keys(table, &mut shared.iter().map(|(here, _)| *here))?.iter().enumerate() {
        let (sum, count) = sums.get(key).ok_or_else(|| {
            let key: Vec<&str> = key.iter().map(|part| part.as_deref().unwrap_or("?")).collect();
            Error::data(format!(
                "{}: row {}: {} has no row of {}",
                table.label(),
                table.row_of(row),
                other.label(),
                key.join(", ")
            ))
            .with_help("give the signal of every cell line")
        })?;
        joined.push(sum / count);
    }
    let mut columns = table.columns.clone();
    columns.push(RawColumn { name: role.key().to_owned(), values: Values::numbers(joined) });
    let mut notes = table.notes.clone();
    let by: Vec<&str> = shared.iter().map(|(here, _)| table.names()[*here].as_str()).collect();
    notes.push(format!("{} joined from {} by {}", role.what(), other.label(), listed(&by, 4)).into());
    let mut built = table.with_columns(columns, notes)?;
    built.keep_what_was_said(table);
    built.places = table.places.clone();
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_wells_are_known_however_they_are_written() {
        for name in
            ["ctrl_pos", "ctrl-pos", "Control Positive", "control-positive", "PC-1", "positive control"]
        {
            assert!(matches!(kind_named(name), Well::Positive), "{name}");
        }
        for name in ["UN-USED", "FAIL"] {
            assert!(matches!(kind_named(name), Well::Aside), "{name}");
        }
        for name in ["ctrl-neg", "NC-1", "DMSO", "ctl_veh", "negative control"] {
            assert!(matches!(kind_named(name), Well::Control { preferred: true }), "{name}");
        }
        for name in ["B", "no-cells", "media-only"] {
            assert!(matches!(kind_named(name), Well::Blank), "{name}");
        }
        for name in ["time-0", "day 0", "T0"] {
            assert!(matches!(kind_named(name), Well::TimeZero), "{name}");
        }
        for name in ["Bortezomib", "L12-D1-S", "sample"] {
            assert!(matches!(kind_named(name), Well::Treated), "{name}");
        }
    }
}
