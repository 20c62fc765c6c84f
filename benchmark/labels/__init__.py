"""Labeling files of reports, and how well it is done."""
