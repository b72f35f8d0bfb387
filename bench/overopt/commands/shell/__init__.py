"""Commands beside the runs: citations, templates, the store, and what the TAB key completes."""
