"""benchmark: the harness of cxr-bench. Reads, writes, times and reports; `cxr` does the work."""
