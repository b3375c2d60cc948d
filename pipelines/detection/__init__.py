"""From a batch of letterboxed images to boxes: the detector, its output layouts, non-maximum suppression."""
