"""Which code a key covers, and how modules are found by name."""
