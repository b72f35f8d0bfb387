"""Methods that learn from their own fresh, rewarded samples."""
