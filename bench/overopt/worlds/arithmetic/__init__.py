"""Sums worked out step by step, with answers and steps that can be checked."""
