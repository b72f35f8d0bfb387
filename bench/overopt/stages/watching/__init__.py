"""What a practitioner sees of policies along a run, and twins that are optimized against gold."""
