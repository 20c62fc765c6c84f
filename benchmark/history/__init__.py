"""How metrics moved over the runs of a protocol."""
