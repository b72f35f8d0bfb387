"""Ranks of entries: tracks, boards, records, and what a rank rests on."""
