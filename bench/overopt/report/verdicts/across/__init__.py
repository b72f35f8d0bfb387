"""What is read of several arms together, and rules about them."""
