"""Run the command line with `python -m benchmark`."""

from benchmark.cli import main

main()
