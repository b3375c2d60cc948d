"""From decoded frames of many cameras to batches that a detector takes, and back in order."""
