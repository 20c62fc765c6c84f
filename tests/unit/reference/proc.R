# Reference numbers of pROC (Robin et al. 2011, BMC Bioinformatics 12:77) for test_statistics.py.
# Run in this folder: Rscript proc.R   (Debian: r-base-core, r-cran-proc)
suppressPackageStartupMessages(library(pROC))
set.seed(20)

make <- function(name, n, prevalence, digits) {
  truth <- c(1, 0, rbinom(n - 2, 1, prevalence))
  common <- rnorm(n)
  data.frame(
    set = name, truth = truth,
    first = round(common + rnorm(n) + 1.2 * truth, digits),
    second = round(common + rnorm(n) + 0.8 * truth, digits)
  )
}

cases <- rbind(
  make("plain", 120, 0.3, 6),
  make("tied", 150, 0.4, 0),
  make("rare", 300, 0.03, 4),
  make("few", 12, 0.5, 3)
)

summarise <- function(part) {
  roc_of <- function(score) roc(part$truth, score, levels = c(0, 1), direction = "<", quiet = TRUE)
  first <- roc_of(part$first)
  second <- roc_of(part$second)
  test <- roc.test(first, second, method = "delong", paired = TRUE)
  interval <- ci.auc(first, method = "delong")
  data.frame(
    set = part$set[1],
    auc_first = as.numeric(auc(first)), auc_second = as.numeric(auc(second)),
    var_first = var(first, method = "delong"), var_second = var(second, method = "delong"),
    covariance = cov(first, second, method = "delong"),
    low_first = interval[1], high_first = interval[3],
    z = unname(test$statistic), p = test$p.value
  )
}

write_exact <- function(table, file) {
  numeric <- sapply(table, is.numeric)
  table[numeric] <- lapply(table[numeric], function(x) format(x, digits = 17, trim = TRUE))
  write.csv(table, file, row.names = FALSE, quote = FALSE)
}

write.csv(cases, "proc_cases.csv", row.names = FALSE, quote = FALSE)
write_exact(
  do.call(rbind, lapply(split(cases, cases$set), summarise)), "proc_reference.csv"
)
cat("pROC", as.character(packageVersion("pROC")), R.version.string, "\n")
