"""Running a stranger's method file where it can do no harm and see no gold."""
