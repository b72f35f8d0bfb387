"""Tests of stores on an object store."""
