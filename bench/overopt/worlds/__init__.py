"""Worlds: prompts, a language and a rule gold, all generated from a seed. numpy only."""
