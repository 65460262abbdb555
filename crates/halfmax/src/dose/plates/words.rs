//! The notes on plates.

use halfmax_core::listed;
use halfmax_data::counted;
use halfmax_dose::{Corrected, PlateFlag, PlateQuality};

use super::PlateOptions;
use super::quality::Plates;

/// The requested use of plates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A file with their quality.
    ForPlates,
    /// Curves of their readings.
    ForCurves,
}

impl Plates {
    /// The quality of the plates, the failing plates, the position effects, and their corrections.
    pub fn notes(&self, options: &PlateOptions, asked: Asked) -> Vec<String> {
        let corrects = options.corrected() != Corrected::default();
        let for_plates = asked == Asked::ForPlates;
        let is_known = self.qualities().any(|quality| quality.low.is_some());
        let mut notes = Vec::new();
        if for_plates || options.drop_failed_plates || is_known {
            notes.push(self.quality_note(options));
        }
        notes.extend(self.failed_note(options));
        notes.extend(self.position_notes(options.corrected()));
        if self.format.is_none() && (for_plates || corrects) {
            notes.push("the table does not say where wells lie, so position effects are not estimated; add a column well (A01), \
                or well_row and well_column".into());
        }
        if corrects {
            notes.push(self.correction_note());
        }
        notes
    }

    /// The number of plates and their quality.
    fn quality_note(&self, options: &PlateOptions) -> String {
        let mut text = counted(self.all.len(), "plate");
        if !options.correct.is_empty() {
            text += ", after correction";
        }
        text += &match self.spread(|quality| quality.z_prime) {
            Some([median, low, high]) => format!(": the median Z' is {median:.2} ({low:.2} to {high:.2})"),
            None => ": Z' is not known (it needs two positive controls or two blanks)".to_owned(),
        };
        if let Some([median, _, high]) = self.spread(|quality| quality.control_cv) {
            text += &format!(
                ", the variation of untreated wells {:.0} % (at most {:.0} %)",
                100.0 * median,
                100.0 * high
            );
        }
        text
    }

    /// The median, the lowest and the highest of the known values of plates.
    fn spread(&self, value: fn(&PlateQuality) -> f64) -> Option<[f64; 3]> {
        let mut values: Vec<f64> = self.qualities().map(value).filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let lowest = values.first().copied()?;
        let middle = values.len() / 2;
        let below = values.get(if values.len().is_multiple_of(2) { middle - 1 } else { middle })?;
        Some([(below + values.get(middle)?) / 2.0, lowest, *values.last()?])
    }

    fn failed_note(&self, options: &PlateOptions) -> Option<String> {
        let failed = self.failed();
        let named: Vec<String> = failed.iter().map(|at| self.failure(*at)).collect();
        (!failed.is_empty()).then(|| {
            format!(
                "{} of {} fail: {}; {}",
                failed.len(),
                counted(self.all.len(), "plate"),
                listed(&named, 5),
                match options.drop_failed_plates {
                    true => "left out, as requested",
                    false => "used anyway: drop_failed_plates leaves them out",
                }
            )
        })
    }

    /// A failing plate with its flags.
    fn failure(&self, at: usize) -> String {
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

    fn position_notes(&self, corrected: Corrected) -> Vec<String> {
        let effects = [
            (PlateFlag::EdgeEffect, "the edge", "edge", corrected.edge),
            (PlateFlag::Drift, "a drift", "drift", corrected.drift),
        ];
        let note = |(flag, what, name, is_corrected): (PlateFlag, &str, &str, bool)| {
            let plates = self.flagged(flag);
            let named: Vec<String> = plates.iter().map(|at| self.effects(*at)).collect();
            let mended = if is_corrected { "removed, as requested" } else { "not removed" };
            (!plates.is_empty()).then(|| {
                format!(
                    "{what} changes the signal of untreated wells on {}: {}; {mended} (`--correct {name}`)",
                    counted(plates.len(), "plate"),
                    listed(&named, 5)
                )
            })
        };
        effects.into_iter().filter_map(note).collect()
    }

    /// The position effects on a plate, in words.
    fn effects(&self, at: usize) -> String {
        let effects = &self.all[at].quality.effects;
        let parts = [("edge", effects.edge), ("rows", effects.rows), ("columns", effects.columns)];
        let known = parts.iter().filter(|(_, effect)| effect.p < 0.01);
        let parts: Vec<String> =
            known.map(|(name, effect)| format!("{name} {:+.0} %", 100.0 * effect.share())).collect();
        format!("{} ({})", self.name(at), parts.join(", "))
    }

    fn correction_note(&self) -> String {
        let mut sizes: Vec<f64> = self.correction_sizes().filter(|size| *size > 0.0).collect();
        sizes.sort_unstable_by(f64::total_cmp);
        match sizes.last() {
            None => "no signal was corrected: the untreated wells show no position effect beyond chance, or do not lie \
                where an effect would show".to_owned(),
            Some(most) => format!(
                "position effects removed from {} of {}: median {:.1} % of the signal, at most {:.1} %",
                sizes.len(),
                counted(self.all.len(), "plate"),
                100.0 * sizes[sizes.len() / 2],
                100.0 * most
            ),
        }
    }
}
