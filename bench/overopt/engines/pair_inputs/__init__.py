"""What methods of the family pairs may ask for beside the pairs."""
