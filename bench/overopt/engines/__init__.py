"""Engines: the machinery that supplies methods with batches and optimiser steps."""
