"""Methods that merge trained policies."""
