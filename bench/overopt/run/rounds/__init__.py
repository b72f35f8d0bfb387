"""Rounds of relabeling: policies that gold labels anew, and what is trained on those labels."""
