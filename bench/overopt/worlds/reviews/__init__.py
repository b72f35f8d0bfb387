"""Readable product reviews with a rule as gold."""
