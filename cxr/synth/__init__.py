"""The synthetic cohort: patients sampled, radiographs rendered, reports narrated from one truth."""
