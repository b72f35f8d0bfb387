"""The same methods inside TRL's trainers."""
