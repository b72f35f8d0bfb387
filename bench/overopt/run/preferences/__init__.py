"""The part of a cell's graph that makes preference data."""
