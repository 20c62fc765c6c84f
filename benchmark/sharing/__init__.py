"""What leaves the machine: bundles, their verification, identifiers."""
