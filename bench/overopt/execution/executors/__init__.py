"""What runs stages: this machine, workers on a shared folder, a Ray cluster."""
