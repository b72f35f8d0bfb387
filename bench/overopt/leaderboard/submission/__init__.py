"""Submissions: what their folders hold, how they are read, prepared and checked."""
