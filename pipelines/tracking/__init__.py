"""Detections of one camera in, tracks with lasting ids out."""
