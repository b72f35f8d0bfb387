"""What a practitioner sees of policies along a run."""
