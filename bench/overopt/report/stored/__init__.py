"""Run folders read back: strict, renewed where an earlier version wrote them, merged."""
