"""What ``bench show`` tells of a method or proxy beyond its declaration."""
