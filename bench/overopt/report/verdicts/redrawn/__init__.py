"""What a paper's file says of the figures that are drawn again."""
