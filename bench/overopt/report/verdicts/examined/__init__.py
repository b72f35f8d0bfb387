"""Claims about reward models that no policy optimizes: marks of exams, and statistics of them."""
