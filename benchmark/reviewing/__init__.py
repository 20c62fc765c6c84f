"""Readers' reviews of a finished run: forms to read from, answers back, and what they say."""
