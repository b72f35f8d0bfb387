"""What helps against overoptimization at this scale: one page of the committed comparisons."""
