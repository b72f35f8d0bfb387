"""A stage that trains a stack of cells, and the thin one that takes a cell out of it."""
