"""What the store still has of a run: one reader for each stage that makes points."""
