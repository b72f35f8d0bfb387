"""A run that is going on: a callback that measures it, its log, and its alarms."""
