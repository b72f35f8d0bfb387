"""A method opened once: its module bound to its config, one file per family."""
