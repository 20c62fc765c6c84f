"""Training a network: the loop and all it needs."""
