"""The mathematics of measuring: numpy and scipy only, no model, no file, no plot.

Shape letters: B prompts, N samples per prompt, T tokens, V vocabulary, K grid points, S seeds,
P pairs, R rows of a ragged table (all samples of all prompts, one after the other).
"""
