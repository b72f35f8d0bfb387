"""Makers of golds that are more than a rule: a module for each kind, loaded by its name."""
