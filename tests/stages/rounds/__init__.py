"""Makers of rounds after the first."""
