# Fits BRAID with braidrm, each block by itself: Rscript fits.R WELLS.csv FITS.csv
#
# All nine parameters but the equal floors are fitted ("kappa3": what both drugs can do together is one of them), as halfmax and the Python package do, with and
# without the package's prior on kappa.
suppressMessages(library(braidrm))
files <- commandArgs(trailingOnly = TRUE)
wells <- read.csv(files[1])
means <- aggregate(viability_percent ~ dose_a_um + dose_b_um + block_id, data = wells, FUN = mean)
means$viability <- means$viability_percent / 100

fit_block <- function(block) {
  found <- data.frame(block_id = block$block_id, dose_a = block$dose_a_um, dose_b = block$dose_b_um)
  for (prior in c("none", "moderate")) {
    fit <- try(suppressWarnings(braidrm(
      viability ~ dose_a_um + dose_b_um,
      data = block, model = "kappa3", prior = prior, getCIs = FALSE
    )), silent = TRUE)
    failed <- inherits(fit, "try-error")
    name <- if (prior == "none") "" else paste0("_", prior)
    found[[paste0("braid", name)]] <- if (failed) NA_real_ else 100 * (1 - fit$fitted.values)
    found[[paste0("kappa", name)]] <- if (failed) NA_real_ else fit$coefficients[["kappa"]]
  }
  found
}

fits <- do.call(rbind, lapply(split(means, means$block_id), fit_block))
write.csv(fits, files[2], row.names = FALSE)
