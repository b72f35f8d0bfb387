"""``bench extrapolate``: best-of-n far beyond the pool, and what fits of small n foretell."""
