"""Best-of-n far beyond what was fitted, as tables and a figure."""
