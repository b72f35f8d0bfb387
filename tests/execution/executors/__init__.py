"""Tests of what runs stages."""
