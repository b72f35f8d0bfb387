"""Methods: one file each, named after the method, pure mathematics without machinery."""
