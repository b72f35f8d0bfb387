"""Best-of-n far beyond what was fitted."""
