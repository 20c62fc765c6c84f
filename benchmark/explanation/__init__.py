"""Where networks look, and whether that can be believed."""
