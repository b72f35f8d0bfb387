"""Exams of reward models: their nodes, which cells sit them, and what they come to."""
