"""What scores are worth: metrics, operating points, calibration, comparison."""
