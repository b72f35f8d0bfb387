"""Answers that grow side by side and are resampled between tokens, and the KL of what comes out."""
