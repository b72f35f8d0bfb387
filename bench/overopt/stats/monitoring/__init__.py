"""When to stop, by a statistic and a limit; and how outlying a sample is."""
