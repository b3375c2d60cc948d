"""Counters: tracks of one frame in, the minutes of one stream out."""
