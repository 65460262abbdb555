# Fits curves with one peer: Rscript curves.R drc|drc_top|GRmetrics|gdscIC50 READINGS.csv FITS.csv
#
# READINGS.csv has cell_line, drug, dose_um and viability_fraction; FITS.csv gets IC50 and EC50, with 95 % intervals of drc.
files <- commandArgs(trailingOnly = TRUE)
peer <- files[1]
wells <- read.csv(files[2], colClasses = c(cell_line = "character", drug = "character"))
suppressMessages(suppressWarnings(library(sub("_top", "", peer), character.only = TRUE)))

# drc: four parameters, or three with the top at 1. Intervals by the delta method ("delta"), and by it on log doses ("tfls").
fit_drc <- function(wells, model) {
  one <- function(curve) {
    row <- data.frame(cell_line = curve$cell_line[1], drug = curve$drug[1])
    fit <- try(drm(viability_fraction ~ dose_um, data = curve, fct = model,
      control = drmc(errorm = FALSE, noMessage = TRUE)), silent = TRUE)
    for (what in c("ic50", "ec50")) for (interval in c("delta", "tfls")) {
      found <- try(suppressWarnings(if (what == "ic50") {
        ED(fit, 0.5, type = "absolute", interval = interval, display = FALSE)
      } else {
        ED(fit, 50, interval = interval, display = FALSE)
      }), silent = TRUE)
      values <- if (inherits(found, "try-error")) rep(NA, 3) else found[1, c("Estimate", "Lower", "Upper")]
      row[[what]] <- values[1]
      row[paste0(what, c("_lower_", "_upper_"), interval)] <- values[2:3]
    }
    row
  }
  do.call(rbind, lapply(split(wells, paste(wells$cell_line, wells$drug)), one))
}

# GRmetrics: its fit of relative cell counts, which has no intervals. The count at the start is of no importance to it.
fit_grmetrics <- function(wells) {
  counts <- data.frame(cell_line = wells$cell_line, drug = wells$drug, concentration = wells$dose_um,
    cell_count = wells$viability_fraction, cell_count__ctrl = 1, cell_count__time0 = 0.25)
  fits <- suppressWarnings(GRgetMetrics(GRfit(counts, groupingVariables = c("cell_line", "drug"), case = "A")))
  data.frame(cell_line = fits$cell_line, drug = fits$drug, ic50 = fits$IC50, ec50 = fits$EC50)
}

# gdscIC50: one mixed model of all curves. With its settings for large data, or for small where these do not converge.
fit_gdsc <- function(wells) {
  highest <- ave(wells$dose_um, wells$drug, FUN = max)
  data <- data.frame(CL = wells$cell_line, drug = wells$drug, maxc = highest, y = 1 - wells$viability_fraction,
    x = getXfromConc(wells$dose_um, highest))
  model <- try(fitModelNlmeData(data, isLargeData = TRUE), silent = TRUE)
  if (inherits(model, "try-error")) model <- fitModelNlmeData(data, isLargeData = FALSE)
  names <- do.call(rbind, strsplit(rownames(coef(model)), "/"))
  highest <- highest[match(names[, 2], wells$drug)]
  data.frame(cell_line = names[, 1], drug = names[, 2], ic50 = getConcFromX(coef(model)$xmid, highest), ec50 = NA)
}

fits <- switch(peer,
  drc = fit_drc(wells, LL.4()),
  drc_top = fit_drc(wells, LL.3u()),
  GRmetrics = fit_grmetrics(wells),
  gdscIC50 = fit_gdsc(wells)
)
write.csv(fits, files[3], row.names = FALSE)
