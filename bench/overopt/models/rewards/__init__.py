"""Reward models: what they say of a response, and how they are trained."""
