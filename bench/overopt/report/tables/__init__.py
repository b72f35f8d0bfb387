"""Tables for readers: text, numbers, and what each column says."""
