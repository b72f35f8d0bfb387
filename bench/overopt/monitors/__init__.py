"""Detectors and stopping rules: one file each, which sees what a practitioner sees, never gold."""
