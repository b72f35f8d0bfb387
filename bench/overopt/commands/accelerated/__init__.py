"""``bench gpu-table``: what an accelerator gains here, measured and written down in one command."""
