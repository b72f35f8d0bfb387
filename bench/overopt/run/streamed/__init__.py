"""Best-of-n from a stream: its nodes, and what their artifacts say."""
