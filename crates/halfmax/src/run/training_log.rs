//! The log of fits that run in epochs.

use halfmax_core::Result;
use halfmax_data::RunFolder;
use halfmax_eval::TrainingLog;

/// Writes `training.csv`, the reports of fits by epoch; writes nothing without reports.
///
/// # Errors
/// If a value cannot be computed or the file cannot be written.
pub fn write_training(folder: &RunFolder, logs: &[TrainingLog]) -> Result<()> {
    if logs.is_empty() {
        return Ok(());
    }
    let mut text = String::from(
        "model,left_out,member,epoch,learning_rate,training_loss,validation_rmse,validation_r2_within\n",
    );
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    for log in logs {
        let left_out: Vec<String> = log.left_out.iter().map(usize::to_string).collect();
        // Quoted as in RFC 4180.
        let model = format!("\"{}\"", log.model.replace('"', "\"\""));
        for epoch in &log.epochs {
            text.push_str(&format!(
                "{model},{},{},{},{},{},{},{}\n",
                left_out.join(" "),
                epoch.member + 1,
                epoch.epoch,
                epoch.learning_rate,
                epoch.training_loss,
                number(epoch.validation_rmse),
                number(epoch.validation_r2_within)
            ));
        }
    }
    folder.write("training.csv", text.as_bytes())
}
