"""Worlds small enough to list every response of, for claims that are computed."""
