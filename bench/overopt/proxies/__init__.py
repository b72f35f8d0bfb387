"""Reward-side systems: one file each, named after the system."""
