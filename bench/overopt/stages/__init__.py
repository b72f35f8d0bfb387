"""Stages of the experiment, in order of the data flow; each makes one artifact from its inputs."""
