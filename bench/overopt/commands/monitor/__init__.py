"""``bench monitor``."""
