"""Statistics of what was looked at beside the points of runs."""
