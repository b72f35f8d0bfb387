"""A build system that knows no reward model: nodes, queue, scheduler, executors, store."""
