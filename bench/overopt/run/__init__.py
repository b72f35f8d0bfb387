"""Planning, the artifact store, executors and KL targeting."""
