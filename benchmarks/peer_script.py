"""What a user would write instead: one file with OpenCV, ONNX Runtime and supervision; line, zone and heatmap.

Runs in an environment of its own (see ``benchmarks/run``), because its libraries bring another build of OpenCV.

Usage: peer_script.py MODEL.onnx VIDEO [--no-heatmap]; prints one line of JSON with frames and seconds.
"""

import argparse
import json
import time

import cv2
import numpy as np
import onnxruntime
import supervision
from trackers import ByteTrackTracker


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("video")
    parser.add_argument("--no-heatmap", action="store_true")
    arguments = parser.parse_args()

    session = onnxruntime.InferenceSession(arguments.model, providers=["CPUExecutionProvider"])
    input_ = session.get_inputs()[0]
    _, input_height, input_width, _ = input_.shape
    capture = cv2.VideoCapture(arguments.video)
    width, height = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
    scale = min(input_width / width, input_height / height)
    tracker = ByteTrackTracker()
    line = supervision.LineZone(supervision.Point(width // 2, 0), supervision.Point(width // 2, height))
    lower_half = np.array([[0, height // 2], [width, height // 2], [width, height], [0, height]])
    zone = supervision.PolygonZone(lower_half)
    heatmap = supervision.HeatMapAnnotator()

    frames, begun = 0, time.perf_counter()
    while True:
        more, frame = capture.read()
        if not more:
            break
        small = cv2.resize(frame, None, fx=scale, fy=scale)
        canvas = np.zeros((1, input_height, input_width, 3), np.uint8)
        canvas[0, : small.shape[0], : small.shape[1]] = small
        boxes, scores = session.run(None, {input_.name: canvas})
        best = scores[0].max(axis=1)
        kept = best > 0.1
        found = supervision.Detections(
            xyxy=boxes[0][kept] / scale, confidence=best[kept], class_id=np.zeros(int(kept.sum()), int)
        ).with_nms(0.5)
        tracked = tracker.update(found)
        tracked = tracked[tracked.tracker_id >= 0]
        line.trigger(tracked)
        zone.trigger(tracked)
        if not arguments.no_heatmap:
            heatmap.annotate(frame, tracked)
        frames += 1
    print(json.dumps({"frames": frames, "seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main()
