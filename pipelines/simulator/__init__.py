"""Simulated cameras: walking people with exact truth, recordings of them, and an RTSP server that plays recordings."""
