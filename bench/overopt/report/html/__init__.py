"""The page: its tables, charts, folded methods and assets."""
