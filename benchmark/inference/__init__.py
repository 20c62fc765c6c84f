"""A run's networks after training: scores of new images, and export."""
