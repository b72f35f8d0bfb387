"""Methods that reweight samples of the initial policy."""
