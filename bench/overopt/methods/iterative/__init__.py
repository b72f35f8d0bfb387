"""Methods that build data out of fresh samples, round after round."""
