"""Makers of rounds after the first: pairs of a trained policy, labels of several rounds."""
