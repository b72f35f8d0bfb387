"""Parts of ``bench plan``."""
