"""Opens the gold of an artifact: a module for each kind, loaded by its name."""
