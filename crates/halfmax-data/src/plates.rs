//! Raw signals (luminescence, counts of cells) made into viabilities by the wells that were not treated.
//!
//! The viability of a well is (signal − blank) / (control − blank), where control and blank are means over the untreated and the empty
//! wells of its plate; without plates, of its cell line (and time). Where the signal at the time of treatment is known, the control divided
//! log2(control / time zero) times (Hafner et al. 2016).

use std::collections::BTreeMap;

use halfmax_core::{Error, Result, listed};

use crate::report::grouped;
use crate::roles::Role;
use crate::table::{Labels, RawColumn, RawTable, RowPlaces, Values};

/// What a well is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Well {
    Treated,
    /// Untreated, or treated with the vehicle alone. The preferred ones are vehicle wells where a plate has both.
    Control {
        preferred: bool,
    },
    /// Without cells.
    Blank,
    /// When the drug was given.
    TimeZero,
    /// A positive control, a failed or an unused well.
    Aside,
}

/// A table of raw signals as one of viabilities; none if it has no column of signals, or one of readings that are normalised already.
///
/// # Errors
/// If a plate has no untreated wells, or its untreated wells are not above its blanks: names the plate.
pub(crate) fn normalised(table: &RawTable) -> Result<Option<RawTable>> {
    let Some(signal) = signal_column(table) else { return Ok(None) };
    let signals = crate::readings::finite(table, signal, "a signal, 0 or more")?;
    if let Some(at) = signals.iter().position(|value| *value < 0.0) {
        return Err(table.bad_value(signal, at, signals[at], "a signal, 0 or more"));
    }
    let plates = Plates::of(table)?;
    let wells = wells(table)?;
    let beside = |role: Role| table.role(role).map(|column| table.numbers(column, "a signal")).transpose();
    let (controls, time_zeros) = (beside(Role::Control)?, beside(Role::TimeZero)?);
    let references =
        plates.references(table, &signals, &wells, controls.as_deref(), time_zeros.as_deref())?;
    let mut kept = Vec::new();
    let (mut viability, mut divisions) = (Vec::new(), Vec::new());
    for (row, well) in wells.iter().enumerate().filter(|(_, well)| **well == Well::Treated) {
        let reference = references.at(row);
        let control = controls.as_ref().map_or(reference.control, |controls| controls[row]);
        let zero = time_zeros.as_ref().map_or(reference.time_zero, |zeros| zeros[row]);
        kept.push(row);
        viability.push((signals[row] - reference.blank) / (control - reference.blank));
        divisions.push(if zero > 0.0 && control > zero { (control / zero).log2() } else { f64::NAN });
        debug_assert_eq!(*well, Well::Treated);
    }
    if kept.is_empty() {
        return Err(Error::data(format!(
            "{}: no well is treated: every row is a control, a blank or set aside",
            table.label()
        ))
        .help(
            "the column of kinds of wells may use other words: rename them to treated, control and blank",
        ));
    }
    let notes = notes(table, signal, &wells, &plates);
    built(table, &kept, viability, divisions, notes).map(Some)
}

/// The column of raw signals, where no column says that readings are normalised.
fn signal_column(table: &RawTable) -> Option<usize> {
    let signal = table.role(Role::Signal)?;
    let reading = table.role(Role::Reading);
    let said = table.said.iter().any(|(role, _)| *role == Role::Signal);
    (said || reading.is_none()).then_some(signal)
}

/// What is said of the plates and their wells.
fn notes(table: &RawTable, signal: usize, wells: &[Well], plates: &Plates) -> Vec<String> {
    let count = |is: fn(&Well) -> bool| wells.iter().filter(|well| is(well)).count();
    let controls = count(|well| matches!(well, Well::Control { .. }));
    let beside = table.role(Role::Control).map(|column| format!("the column {:?}", table.names()[column]));
    let by = beside.unwrap_or_else(|| format!("{} untreated wells", grouped(controls)));
    let mut notes = table.notes().to_vec();
    notes.push(format!(
        "{:?} holds raw signals: divided by {by}{}, by {}",
        table.names()[signal],
        match count(|well| *well == Well::Blank) {
            0 => String::new(),
            blanks => format!(", less the mean of {} blanks", grouped(blanks)),
        },
        plates.what
    ));
    let aside = count(|well| *well == Well::Aside);
    if aside > 0 {
        notes.push(format!("positive controls, failed and unused wells left out: {}", grouped(aside)));
    }
    notes
}

/// The groups of wells that share their controls.
struct Plates {
    /// What they are in words: "plate".
    what: String,
    /// The group of each row.
    of_row: Vec<usize>,
    names: Vec<String>,
}

impl Plates {
    fn of(table: &RawTable) -> Result<Self> {
        let columns: Vec<usize> = match table.role(Role::Plate) {
            Some(plate) => vec![plate],
            None => {
                let roles = [Role::CellLine, Role::Experiment, Role::Replicate];
                // Replicates of wells are not replicates of plates: only those of whole experiments share controls.
                roles.into_iter().take(2).filter_map(|role| table.role(role)).collect()
            }
        };
        let what: Vec<String> = columns.iter().map(|column| table.names()[*column].clone()).collect();
        let labels: Vec<Labels> =
            columns.iter().map(|column| table.labels(*column)).collect::<Result<_>>()?;
        let mut known: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
        let mut names = Vec::new();
        let of_row = (0..table.rows())
            .map(|row| {
                let key: Vec<u32> = labels.iter().map(|column| column.of_row[row]).collect();
                *known.entry(key).or_insert_with(|| {
                    let parts: Vec<&str> =
                        labels.iter().map(|column| column.at(row).unwrap_or("?")).collect();
                    names.push(parts.join(", "));
                    names.len() - 1
                })
            })
            .collect();
        Ok(Self {
            what: if what.is_empty() { "all wells together".into() } else { what.join(" and ") },
            of_row,
            names,
        })
    }

    fn references(
        &self,
        table: &RawTable,
        signals: &[f64],
        wells: &[Well],
        controls: Option<&[f64]>,
        time_zeros: Option<&[f64]>,
    ) -> Result<References> {
        let times = times(table)?;
        let mean = |group: usize, time: Option<f64>, is: &dyn Fn(Well) -> bool| {
            let rows = (0..signals.len())
                .filter(|row| self.of_row[*row] == group && is(wells[*row]) && !signals[*row].is_nan());
            let rows = rows.filter(|row| time.is_none_or(|time| times[*row] == time));
            let (sum, count) = rows.fold((0.0, 0), |(sum, count), row| (sum + signals[row], count + 1));
            (count > 0).then(|| sum / f64::from(count))
        };
        let mut known: BTreeMap<(usize, u64), Reference> = BTreeMap::new();
        let mut of_row = Vec::new();
        for row in 0..signals.len() {
            let (group, time) = (self.of_row[row], times[row]);
            let key = (group, time.to_bits());
            if wells[row] == Well::Treated && !known.contains_key(&key) {
                let time = (!time.is_nan()).then_some(time);
                let preferred = mean(group, time, &|well| well == Well::Control { preferred: true });
                let control =
                    preferred.or_else(|| mean(group, time, &|well| matches!(well, Well::Control { .. })));
                let reference = Reference {
                    control: control.unwrap_or(f64::NAN),
                    blank: mean(group, None, &|well| well == Well::Blank).unwrap_or(0.0),
                    time_zero: mean(group, None, &|well| well == Well::TimeZero).unwrap_or(f64::NAN),
                };
                if controls.is_none() {
                    self.check(table, group, &reference)?;
                }
                known.insert(key, reference);
            }
            of_row.push(key);
        }
        let _ = time_zeros;
        Ok(References { known, of_row })
    }

    fn check(&self, table: &RawTable, group: usize, reference: &Reference) -> Result<()> {
        let place = format!("{}: {} {}", table.label(), self.what, self.names[group]);
        if reference.control.is_nan() {
            return Err(Error::data(format!("{place}: has no untreated wells, by which its signals could be divided"))
                .help("mark them in a column of kinds of wells (control), as rows of the drug DMSO or of dose 0, or give their mean in a column \"control\""));
        }
        if reference.control <= reference.blank {
            return Err(Error::data(format!(
                "{place}: its untreated wells (mean {:.4}) are not above its blanks (mean {:.4})",
                reference.control, reference.blank
            ))
            .help("leave the plate out (--where), or correct what its wells are said to be"));
        }
        Ok(())
    }
}

/// The means by which the signals of one plate are divided.
#[derive(Clone, Copy, Debug)]
struct Reference {
    control: f64,
    blank: f64,
    time_zero: f64,
}

struct References {
    known: BTreeMap<(usize, u64), Reference>,
    of_row: Vec<(usize, u64)>,
}

impl References {
    fn at(&self, row: usize) -> Reference {
        let nothing = Reference { control: f64::NAN, blank: 0.0, time_zero: f64::NAN };
        self.known.get(&self.of_row[row]).copied().unwrap_or(nothing)
    }
}

/// The time of each row; NaN where there is no such column.
fn times(table: &RawTable) -> Result<Vec<f64>> {
    match table.role(Role::Time) {
        Some(column) if table.is_numeric(column) => table.numbers(column, "a time"),
        Some(column) => {
            let labels = table.labels(column)?;
            Ok(labels.of_row.iter().map(|label| f64::from(*label)).collect())
        }
        None => Ok(vec![f64::NAN; table.rows()]),
    }
}

/// What each well is: by the column of kinds of wells, else by its drug and dose.
fn wells(table: &RawTable) -> Result<Vec<Well>> {
    let times = times(table)?;
    let several = times.iter().any(|time| *time > 0.0);
    let kinds = match table.role(Role::WellKind) {
        Some(column) => by_kind(&table.labels(column)?)?,
        None => by_drug_and_dose(table)?,
    };
    let kind = |(well, time): (Well, f64)| match well {
        Well::Treated | Well::Control { .. } if several && time == 0.0 => Well::TimeZero,
        well => well,
    };
    Ok(kinds.into_iter().zip(times).map(kind).collect())
}

fn by_kind(labels: &Labels) -> Result<Vec<Well>> {
    let kinds: Vec<Well> = labels.names.iter().map(|name| kind_named(name)).collect();
    Ok(labels.of_row.iter().map(|label| kinds.get(*label as usize).copied().unwrap_or(Well::Aside)).collect())
}

/// What a well of this kind is. GDSC's tags are NC-0 (untreated), NC-1 (vehicle), B (blank), PC (positive control), and those of libraries.
fn kind_named(name: &str) -> Well {
    let lower = name.to_lowercase();
    let starts = |words: &[&str]| words.iter().any(|word| lower.starts_with(word));
    match () {
        () if lower == "b"
            || starts(&[
                "blank",
                "background",
                "no cell",
                "no_cell",
                "empty",
                "media only",
                "medium only",
            ]) =>
        {
            Well::Blank
        }
        () if lower == "nc-0" || starts(&["untreated", "nc-0"]) => Well::Control { preferred: false },
        () if starts(&[
            "nc", "neg", "control", "ctrl", "ctl_veh", "ctl_untr", "vehicle", "dmso", "solvent",
        ]) =>
        {
            Well::Control { preferred: true }
        }
        () if starts(&["pc", "pos", "ctl_pos", "un-used", "unused", "fail", "kill", "max"]) => Well::Aside,
        () if starts(&["time0", "time_0", "t0", "day0", "tz"]) => Well::TimeZero,
        () => Well::Treated,
    }
}

/// Names of what an untreated well holds instead of a drug.
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
        "water",
        "pbs",
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
fn built(
    table: &RawTable,
    kept: &[usize],
    viability: Vec<f64>,
    divisions: Vec<f64>,
    notes: Vec<String>,
) -> Result<RawTable> {
    let treated = table.with_rows(kept);
    let roles = [
        Role::CellLine,
        Role::Drug,
        Role::Dose,
        Role::DoseUnit,
        Role::Time,
        Role::Plate,
        Role::Experiment,
        Role::Replicate,
    ];
    let mut taken: Vec<usize> = Vec::new();
    for column in roles.into_iter().filter_map(|role| table.role(role)) {
        if !taken.contains(&column) {
            taken.push(column);
        }
    }
    let mut columns: Vec<RawColumn> = taken.iter().map(|column| treated.columns[*column].clone()).collect();
    columns.push(RawColumn { name: "viability_fraction".into(), values: Values::Numbers(viability) });
    if divisions.iter().any(|value| value.is_finite()) {
        columns.push(RawColumn { name: "divisions".into(), values: Values::Numbers(divisions) });
    }
    let places = kept.iter().map(|row| table.row_of(*row) as u32).collect();
    let mut built = table.with_columns(columns, notes)?;
    built.places = RowPlaces::Listed(places);
    built.rows = kept.len();
    Ok(built)
}

/// A table with a column of another one, joined by the columns that both have; of several rows of one key the mean is taken.
///
/// # Errors
/// If the tables have no column in common, the other lacks the role, or a row has no partner.
pub fn with_column_of(table: &RawTable, other: &RawTable, role: Role) -> Result<RawTable> {
    let value = other.require(role).or_else(|_| other.require(Role::Signal))?;
    let shared: Vec<(usize, usize)> = table
        .names()
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at, other.find(&[name])?)))
        .filter(|(_, there)| *there != value)
        .collect();
    if shared.is_empty() {
        return Err(Error::data(format!(
            "{} and {} have no column in common by which they could be joined",
            table.label(),
            other.label()
        ))
        .help(format!(
            "give both a column of cell lines; they have {} and {}",
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
    for (key, value) in keys(other, &mut shared.iter().map(|(_, there)| *there))?.into_iter().zip(values) {
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
            .help("give the signal of every cell line")
        })?;
        joined.push(sum / count);
    }
    let mut columns = table.columns.clone();
    columns.push(RawColumn { name: role.key().to_owned(), values: Values::Numbers(joined) });
    let mut notes = table.notes().to_vec();
    let by: Vec<&str> = shared.iter().map(|(here, _)| table.names()[*here].as_str()).collect();
    notes.push(format!("{} joined from {} by {}", role.what(), other.label(), listed(&by, 4)));
    table.with_columns(columns, notes)
}
