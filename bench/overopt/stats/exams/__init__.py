"""Exams of reward models: sets of responses by design, and how often a score ranks them as gold."""
