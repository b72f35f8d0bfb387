"""The best that any policy reaches at each KL."""
