"""Exams of reward models."""
