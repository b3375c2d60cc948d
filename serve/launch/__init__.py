"""Starting things: the service, the demo, the benchmark."""
