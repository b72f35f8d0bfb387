"""Published claims, judged here: one file for each paper."""
