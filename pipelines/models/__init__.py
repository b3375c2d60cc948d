"""The detector's weights: where they come from, how they become ONNX and int8, and what they are worth."""
