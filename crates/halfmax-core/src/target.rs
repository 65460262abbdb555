//! The meaning of a response: its quantity, scale and unit, and which end is sensitive.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The meaning of a screen's responses. All code that orders responses, describes them or converts them to an IC50 uses it.
///
/// ```
/// use halfmax_core::{End, Quantity, Scale, Target, Unit};
/// let target = Target {
///     scale: Some(Scale::NegLog10),
///     unit: Some(Unit::Molar),
///     sensitive: Some(End::High),
///     ..Target::new("pIC50", Quantity::Ic50)
/// };
/// assert_eq!(target.higher_is_resistant(), Some(false));
/// assert!((target.ic50_um(6.0).unwrap_or(0.0) - 1.0).abs() < 1e-9);
/// assert_eq!(target.words(), "pIC50 (−log10 M), higher is more sensitive");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// The name of the column.
    pub name: String,
    /// What was measured.
    #[serde(default)]
    pub quantity: Quantity,
    /// The scale of the responses; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<Scale>,
    /// The unit of the concentration that the responses state, directly or as a logarithm. `None` without a unit, or if it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// The end of the scale at which cell lines are sensitive or combinations synergistic; `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitive: Option<End>,
    /// The original column, if the responses are its logarithms. `scale` and `unit` describe the logarithms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_from: Option<LinearColumn>,
}

/// A column of concentrations whose logarithms are the responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinearColumn {
    /// The unit of the column, if known. Its concentrations are then converted to µM before the logarithm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Unknown.
    #[default]
    Unknown,
    /// The concentration that halves viability.
    Ic50,
    /// The concentration with half of the drug's own maximal effect.
    Ec50,
    /// The concentration that halves growth.
    Gi50,
    /// The concentration that halves the growth rate.
    Gr50,
    /// The concentration of another effect: LC50, TGI, IC90.
    Potency,
    /// The area under the viability curve, divided by the dose range (then 0 to 1) or not.
    Auc,
    /// The area above the viability curve, 1 − AUC.
    Aac,
    /// The area between the curve and no effect, not divided by the dose range.
    ActivityArea,
    /// A drug sensitivity score: the area above the curve, normalised.
    SensitivityScore,
    /// The fraction of cells left relative to untreated cells; also the lowest fraction on a curve.
    Viability,
    /// 1 − viability.
    Inhibition,
    /// The greatest effect on a curve, as viability or as inhibition: the direction is unknown.
    MaximalEffect,
    /// Growth relative to untreated cells; below 0 cells die.
    Growth,
    /// Growth-rate inhibition: 1 no effect, 0 no growth, below 0 cells die.
    GrowthRate,
    /// The area above the curve of growth-rate inhibition.
    GrowthRateArea,
    /// The logarithm of the abundance of treated cells relative to untreated cells.
    LogFoldChange,
    /// Standard deviations from a mean.
    ZScore,
    /// The effect of two drugs beyond what a reference model expects.
    Synergy,
    /// The combination index: 1 additive, below 1 synergistic.
    CombinationIndex,
}

/// The scale of responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Scale {
    /// As measured.
    #[serde(rename = "linear")]
    Linear,
    /// The natural logarithm.
    #[serde(rename = "ln")]
    Ln,
    /// The decimal logarithm.
    #[serde(rename = "log10")]
    Log10,
    /// The logarithm to base 2.
    #[serde(rename = "log2")]
    Log2,
    /// The negative decimal logarithm: pIC50.
    #[serde(rename = "neg_log10", alias = "-log10")]
    NegLog10,
}

/// A unit of concentration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Unit {
    /// mol/L.
    #[serde(rename = "M", alias = "m", alias = "molar", alias = "mol/L", alias = "mol/l")]
    Molar,
    /// mmol/L.
    #[serde(rename = "mM", alias = "mm", alias = "mmol/L", alias = "mmol/l")]
    Millimolar,
    /// µmol/L.
    #[serde(
        rename = "uM",
        alias = "um",
        alias = "µM",
        alias = "µm",
        alias = "μM",
        alias = "μm",
        alias = "umol/L",
        alias = "umol/l"
    )]
    Micromolar,
    /// nmol/L.
    #[serde(rename = "nM", alias = "nm", alias = "nmol/L", alias = "nmol/l")]
    Nanomolar,
    /// pmol/L.
    #[serde(rename = "pM", alias = "pm", alias = "pmol/L", alias = "pmol/l")]
    Picomolar,
}

/// An end of a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The low end.
    Low,
    /// The high end.
    High,
}

impl End {
    /// "low" or "high".
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
        }
    }

    /// The end with this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Low, Self::High].into_iter().find(|end| end.name() == name)
    }

    /// The other end.
    pub fn opposite(self) -> Self {
        match self {
            Self::Low => Self::High,
            Self::High => Self::Low,
        }
    }
}

impl Unit {
    /// The factor that converts a concentration in this unit to µM.
    pub fn to_um(self) -> f64 {
        match self {
            Self::Molar => 1e6,
            Self::Millimolar => 1e3,
            Self::Micromolar => 1.0,
            Self::Nanomolar => 1e-3,
            Self::Picomolar => 1e-6,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Molar => "M",
            Self::Millimolar => "mM",
            Self::Micromolar => "µM",
            Self::Nanomolar => "nM",
            Self::Picomolar => "pM",
        })
    }
}

impl Scale {
    /// Converts a value on this scale to the linear scale.
    pub fn linear(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Ln => value.exp(),
            Self::Log10 => 10f64.powf(value),
            Self::Log2 => value.exp2(),
            Self::NegLog10 => 10f64.powf(-value),
        }
    }

    /// Converts a linear value to this scale.
    pub fn scaled(self, linear: f64) -> f64 {
        match self {
            Self::Linear => linear,
            Self::Ln => linear.ln(),
            Self::Log10 => linear.log10(),
            Self::Log2 => linear.log2(),
            Self::NegLog10 => -linear.log10(),
        }
    }

    /// The name of the scale: "ln", "−log10"; empty for the linear scale.
    fn prefix(self) -> &'static str {
        match self {
            Self::Linear => "",
            Self::Ln => "ln",
            Self::Log10 => "log10",
            Self::Log2 => "log2",
            Self::NegLog10 => "−log10",
        }
    }
}

impl Quantity {
    /// Whether the quantity is a concentration: lower means more sensitive.
    pub fn is_concentration(self) -> bool {
        matches!(self, Self::Ic50 | Self::Ec50 | Self::Gi50 | Self::Gr50 | Self::Potency)
    }

    /// Whether the quantity describes two drugs together.
    pub fn is_of_combinations(self) -> bool {
        matches!(self, Self::Synergy | Self::CombinationIndex)
    }

    /// The end of the quantity's linear scale at which cell lines are sensitive or combinations synergistic; `None` if unknown.
    pub fn sensitive(self) -> Option<End> {
        match self {
            Self::Unknown | Self::ZScore | Self::MaximalEffect => None,
            Self::Aac
            | Self::ActivityArea
            | Self::SensitivityScore
            | Self::Inhibition
            | Self::GrowthRateArea
            | Self::Synergy => Some(End::High),
            _ => Some(End::Low),
        }
    }

    /// The name of the quantity in reports; `None` if the column's name is better.
    fn label(self) -> Option<&'static str> {
        match self {
            Self::Ic50 => Some("IC50"),
            Self::Ec50 => Some("EC50"),
            Self::Gi50 => Some("GI50"),
            Self::Gr50 => Some("GR50"),
            Self::Auc => Some("AUC"),
            Self::Aac => Some("AAC"),
            _ => None,
        }
    }
}

impl Target {
    /// A target of a quantity with unknown scale and unit. The sensitive end is that of the quantity.
    pub fn new(name: impl Into<String>, quantity: Quantity) -> Self {
        Self { name: name.into(), quantity, sensitive: quantity.sensitive(), ..Self::default() }
    }

    /// Whether a higher response means that the drug works less well, or that a combination is less synergistic. `None`
    /// if the sensitive end is unknown.
    pub fn higher_is_resistant(&self) -> Option<bool> {
        self.sensitive.map(|end| end == End::Low)
    }

    /// Whether [`Target::ic50_um`] can convert responses.
    pub fn has_ic50_um(&self) -> bool {
        self.quantity == Quantity::Ic50 && self.scale.is_some() && self.unit.is_some()
    }

    /// The IC50 in µM for a response. `None` if the target is not an IC50, its scale or unit is unknown, or the IC50 is
    /// not a finite number above 0.
    pub fn ic50_um(&self, response: f64) -> Option<f64> {
        let (Some(scale), Some(unit)) = (self.scale, self.unit) else { return None };
        let ic50 = scale.linear(response) * unit.to_um();
        (self.quantity == Quantity::Ic50 && ic50.is_finite() && ic50 > 0.0).then_some(ic50)
    }

    /// The response for a value of the column. If the responses are not logarithms of the column, the value is the
    /// response. Otherwise a value of 0 or less has no response, and the result is not finite.
    pub fn response_of(&self, value: f64) -> f64 {
        match (self.taken_from, self.scale) {
            (Some(column), Some(scale)) => scale.scaled(value * column.unit.map_or(1.0, Unit::to_um)),
            _ => value,
        }
    }

    /// The predicted quantity as an axis label: "ln IC50", "pIC50", "AAC"; for other targets the column's name.
    pub fn label(&self) -> String {
        let Some(quantity) = self.quantity.label() else { return self.name.replace('_', " ") };
        match self.scale {
            Some(Scale::NegLog10) if self.quantity.is_concentration() => format!("p{quantity}"),
            Some(scale) if scale != Scale::Linear => format!("{} {quantity}", scale.prefix()),
            Some(_) => quantity.to_owned(),
            None if self.quantity.is_concentration() => self.name.replace('_', " "),
            None => quantity.to_owned(),
        }
    }

    /// The label with the unit and the sensitive end: "ln IC50 (ln µM), lower is more sensitive".
    pub fn words(&self) -> String {
        let unit = match (self.unit, self.scale) {
            (Some(unit), Some(scale)) => format!(" ({})", format!("{} {unit}", scale.prefix()).trim_start()),
            _ => String::new(),
        };
        format!("{}{unit}, {}", self.label(), self.direction_words())
    }

    /// Which end is sensitive: "lower is more sensitive".
    pub fn direction_words(&self) -> String {
        let what = if self.quantity.is_of_combinations() { "synergistic" } else { "sensitive" };
        match self.sensitive {
            Some(End::Low) => format!("lower is more {what}"),
            Some(End::High) => format!("higher is more {what}"),
            None => format!("{what} end unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ic50(scale: Scale, unit: Unit) -> Target {
        Target { scale: Some(scale), unit: Some(unit), ..Target::new("x", Quantity::Ic50) }
    }

    #[test]
    fn one_ic50_on_every_scale_and_in_every_unit_is_the_same_in_um() {
        // 2.5 µM.
        for (target, response) in [
            (ic50(Scale::Linear, Unit::Nanomolar), 2500.0),
            (ic50(Scale::Linear, Unit::Picomolar), 2.5e6),
            (ic50(Scale::Ln, Unit::Micromolar), 2.5f64.ln()),
            (ic50(Scale::Ln, Unit::Millimolar), 2.5e-3f64.ln()),
            (ic50(Scale::Log10, Unit::Molar), 2.5e-6f64.log10()),
            (ic50(Scale::Log2, Unit::Micromolar), 2.5f64.log2()),
            (ic50(Scale::NegLog10, Unit::Molar), 6.0 - 2.5f64.log10()),
        ] {
            let found = target.ic50_um(response).unwrap();
            assert!((found / 2.5 - 1.0).abs() < 1e-12, "{target:?}: {found}");
        }
    }

    #[test]
    fn an_ic50_is_finite_and_above_0_or_is_not_there() {
        let ln = ic50(Scale::Ln, Unit::Micromolar);
        for response in [800.0, -800.0, f64::INFINITY, f64::NAN] {
            assert_eq!(ln.ic50_um(response), None, "{response}");
        }
        assert_eq!(ic50(Scale::Linear, Unit::Micromolar).ic50_um(-1.0), None);
        assert_eq!(Target { quantity: Quantity::Ec50, ..ln.clone() }.ic50_um(1.0), None);
        assert_eq!(Target { unit: None, ..ln.clone() }.ic50_um(1.0), None);
        assert_eq!(Target { scale: None, ..ln }.ic50_um(1.0), None);
    }

    #[test]
    fn a_target_is_read_as_it_was_written_and_units_in_the_spellings_of_the_field() {
        let taken_from = Some(LinearColumn { unit: Some(Unit::Nanomolar) });
        let target = Target { taken_from, ..ic50(Scale::Ln, Unit::Micromolar) };
        let text = serde_json::to_string(&target).unwrap();
        assert!(text.contains(r#""scale":"ln","unit":"uM","sensitive":"low""#), "{text}");
        assert_eq!(serde_json::from_str::<Target>(&text).unwrap(), target);
        let unit = |text: &str| serde_json::from_str::<Unit>(&format!("{text:?}")).ok();
        assert_eq!([unit("µM"), unit("μm"), unit("um")], [Some(Unit::Micromolar); 3]);
        assert_eq!(
            (unit("M"), unit("mM"), unit("furlong")),
            (Some(Unit::Molar), Some(Unit::Millimolar), None)
        );
    }

    #[test]
    fn words_say_scale_unit_and_direction() {
        let words = |target: Target| target.words();
        assert_eq!(words(ic50(Scale::Ln, Unit::Micromolar)), "ln IC50 (ln µM), lower is more sensitive");
        assert_eq!(words(ic50(Scale::Linear, Unit::Nanomolar)), "IC50 (nM), lower is more sensitive");
        assert_eq!(words(Target::new("AAC", Quantity::Aac)), "AAC, higher is more sensitive");
        assert_eq!(words(Target::new("Z_SCORE", Quantity::ZScore)), "Z SCORE, sensitive end unknown");
        assert_eq!(
            words(Target::new("synergy_zip", Quantity::Synergy)),
            "synergy zip, higher is more synergistic"
        );
    }

    #[test]
    fn responses_are_logarithms_of_um_where_the_unit_is_known() {
        let taken_from = Some(LinearColumn { unit: Some(Unit::Nanomolar) });
        let target = Target { taken_from, ..ic50(Scale::Ln, Unit::Micromolar) };
        assert!((target.response_of(1000.0)).abs() < 1e-12);
        assert!(!target.response_of(0.0).is_finite() && !target.response_of(-1.0).is_finite());
        assert_eq!(ic50(Scale::Ln, Unit::Micromolar).response_of(7.0), 7.0);
    }
}
