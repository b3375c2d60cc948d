"""An RTSP camera that shows a clip, with faults to order."""
