"""From a batch of letterboxed images to boxes: the detector, decoders of its outputs, non-maximum suppression."""
