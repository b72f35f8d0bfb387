"""What is said of listed responses besides their scores."""
