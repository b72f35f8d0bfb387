"""Judgment: admission of worlds, submissions, their verification, ranking and the site."""
