"""A whole training step as native code: traced, simplified, scheduled, generated, run."""
