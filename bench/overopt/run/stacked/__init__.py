"""Runs of many seeds that are trained side by side in one stack."""
