"""What a model is before it is trained: a module for each kind of start, loaded by its name."""
