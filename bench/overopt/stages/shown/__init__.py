"""What stages show of responses, for people to read."""
