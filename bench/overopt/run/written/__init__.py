"""What a run leaves besides its points: tables by prompt and seed, training, circumstances."""
