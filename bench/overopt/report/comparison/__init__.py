"""Who is best, by how much, and is it sure: methods compared on what they share."""
