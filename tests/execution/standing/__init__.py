"""Tests of how nodes stand in a store."""
