"""What selection methods are handed beside scores; the graph names it only where they ask."""
