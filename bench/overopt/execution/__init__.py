"""A build system that knows nothing of what it builds: nodes, queue, scheduler, executors."""
