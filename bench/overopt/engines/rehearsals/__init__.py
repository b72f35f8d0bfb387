"""What a rehearsal tries, as far as it has a module of its own."""
