"""Transformers policies and reward models: building, sampling, log-probabilities, scoring."""
