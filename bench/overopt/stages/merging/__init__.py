"""What is merged, and makers of what several iterations of merging start from."""
