"""What models do inside on the way to an answer, as numbers of whole responses."""
