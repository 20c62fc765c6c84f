"""Runs from tables of scores that others made."""
