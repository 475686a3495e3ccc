"""Makes models from histories: evaluation, calibration, the artifact that serves, and one package per model."""
