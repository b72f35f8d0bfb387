"""``bench tune``: the same small budget for every method's learning rate."""
