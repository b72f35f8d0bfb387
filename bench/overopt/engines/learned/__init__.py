"""What is learned beside policies: critics, and predictors that tell what is novel."""
