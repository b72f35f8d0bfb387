"""``bench worker``: runs the stages of drivers on the same store."""
