"""What methods of different families pay for their gold, beside how far they move in KL."""
