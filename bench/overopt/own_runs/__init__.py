"""Somebody else's training run: its log, its checkpoints, and a callback that watches it live."""
