"""Checkpoints of training runs that are not ours, measured as our own policies are."""
