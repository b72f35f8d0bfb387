"""Rules that turn numbers of a run into a verdict on a published claim."""
