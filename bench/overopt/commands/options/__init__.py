"""What single options of a run mean."""
