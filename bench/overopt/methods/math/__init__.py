"""Mathematics that related methods share."""
