"""Where streams, minutes and checkpoints are kept."""
