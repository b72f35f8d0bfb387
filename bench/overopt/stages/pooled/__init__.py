"""Makers for worlds whose responses lie in a table; the graph names them only there."""
