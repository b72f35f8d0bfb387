"""A world small enough to list every response."""
