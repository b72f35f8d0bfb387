"""Which method is better, and is it sure: paired differences, ties, ranks, power."""
