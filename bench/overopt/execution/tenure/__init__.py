"""Who holds a store and its keys."""
