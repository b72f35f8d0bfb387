"""Rounds of relabeling."""
