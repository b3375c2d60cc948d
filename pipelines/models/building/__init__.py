"""From published weights to an ONNX file: graph, quantisation, calibration, and recipes for all of it."""
