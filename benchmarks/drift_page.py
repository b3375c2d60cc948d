"""The document of what is noticed of cameras that go wrong, of what `benchmarks.drift` has measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def page(results: Mapping[str, Any]) -> str:
    """All of it."""
    recordings = results["recordings"]
    lines = [
        "# Cameras that go wrong",
        "",
        "Written by `make drift`; do not edit.",
        "",
        f"{results['shops']} simulated shops, each watched for three weeks (lamps go out at night, Sundays are closed,",
        "sun and clouds come through the windows, a patch of sun wanders over the floor), and then one fault after",
        "another, at a random time of opening hours, each from the same state. An alert waits until its fault has",
        "lasted for twenty seconds; what is not told within three minutes counts as unnoticed. Thresholds were",
        "found on other seeds.",
        "",
        "| of all simulated faults | |",
        "| --- | ---: |",
        f"| noticed | {results['detected']:.1%} |",
        f"| noticed and called by the right name | {results['cause_right']:.1%} |",
        f"| until people are told, median | {results['median_seconds_to_detect']:.0f} s |",
        f"| false alarms of pictures in 30 days, of {results['camera_days']} undisturbed camera-days "
        f"| {results['false_alarms']['pictures']:.2f} |",
        f"| false alarms of model and traffic, likewise | {results['false_alarms']['people']:.2f} |",
        "",
        "Undisturbed days are a shop's first one, and two after the third week, watched without a break, as a camera",
        "is of which one frame a second is analysed: a look every twelve seconds. Half of them adapt to the light,",
        "most shake a little, two thirds are coded as H.264, and on some days somebody cleans with the lamps on",
        "before opening or after closing.",
        "Model and traffic are judged every ten minutes, of people whom the default detector finds in drawn halls; the",
        "worse detector is the same one, which sees half the resolution. They are told as soon as they are seen.",
        "",
        *_table(results["faults"]),
        "",
        "![What each fault was taken for](images/drift-causes.png)",
        "",
    ]
    if recordings["names"]:
        lines += [
            "## On recordings",
            "",
            f"{len(recordings['names'])} real recordings, cropped so that the camera can be moved: two minutes of",
            "looks at the first half, then each fault on the second. How bright a hall usually is cannot be told from",
            "minutes, so nothing is dimmed.",
            "",
            *_table(recordings["faults"]),
            "",
        ]
    return "\n".join([*lines, f"On {results['machine']}.", ""])


def _table(faults: Mapping[str, Any]) -> list[str]:
    lines = ["| fault | times | told by the right name | taken for | s: median | longest |"]
    lines.append("| --- | ---: | ---: | --- | ---: | ---: |")
    for name, found in faults.items():
        right = found["taken_for"].get(found["cause"], 0)
        others = ", ".join(f"{cause} ({n})" for cause, n in found["taken_for"].items() if cause != found["cause"])
        seconds = [f"{found[key]:.0f}" if found[key] is not None else "-" for key in ("median_s", "longest_s")]
        lines.append(f"| {name} | {found['times']} | {right} | {others or '-'} | {' | '.join(seconds)} |")
    return lines
