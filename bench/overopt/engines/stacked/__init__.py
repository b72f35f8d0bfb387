"""Many small policies of one shape trained together: a leading cell axis on every weight."""
