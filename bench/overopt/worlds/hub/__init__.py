"""Real language: models and data of a hub or of local folders."""
