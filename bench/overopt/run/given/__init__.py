"""The part of a cell's graph that comes before its method, and is shared by many cells."""
