"""Several levels of one axis in one command."""
