"""``bench round`` and ``bench verify``."""
