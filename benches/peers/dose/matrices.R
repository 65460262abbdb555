# Scores matrices with SynergyFinder, each block by itself: Rscript matrices.R WELLS.csv SCORES.csv
#
# Replicates are averaged first: SynergyFinder's own way is to draw normal readings around their mean, ten times.
suppressMessages(library(synergyfinder))
files <- commandArgs(trailingOnly = TRUE)
wells <- read.csv(files[1])
wells <- aggregate(viability_percent ~ dose_a_um + dose_b_um + block_id, data = wells, FUN = mean)
models <- c("HSA", "Bliss", "ZIP", "Loewe")

score_block <- function(block) {
  table <- data.frame(
    block_id = 1, drug1 = "A", drug2 = "B", conc1 = block$dose_a_um, conc2 = block$dose_b_um,
    response = block$viability_percent, conc_unit = "uM"
  )
  shaped <- suppressWarnings(ReshapeData(table, data_type = "viability", impute = FALSE, noise = FALSE))
  scores <- data.frame(block_id = block$block_id[1], dose_a = shaped$response$conc1, dose_b = shaped$response$conc2)
  for (model in models) {
    found <- try(suppressMessages(CalculateSynergy(shaped, method = model)$synergy_scores), silent = TRUE)
    values <- rep(NA_real_, nrow(scores))
    if (!inherits(found, "try-error")) {
      at <- match(paste(scores$dose_a, scores$dose_b), paste(found$conc1, found$conc2))
      values <- found[[paste0(model, "_synergy")]][at]
    }
    scores[[tolower(model)]] <- values
  }
  scores
}

scores <- do.call(rbind, lapply(split(wells, wells$block_id), score_block))
write.csv(scores[scores$dose_a > 0 & scores$dose_b > 0, ], files[2], row.names = FALSE)
