"""The plots of docs/elastic.md, of benchmarks/results/elastic.json. Run in .venv-bench, which has matplotlib."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
BLUE, ORANGE, GREY = "#2563a8", "#d97706", "#6b7280"


def main() -> None:
    results = json.loads((ROOT / "benchmarks" / "results" / "elastic.json").read_text())
    plot_day(results["curve"])
    if "ramp" in results:
        plot_ramp(results["ramp"])


def plot_ramp(ramp: dict) -> None:
    """Cameras and readers, frame age, and frames for which there was no time."""
    column = dict(zip(ramp["columns"], zip(*ramp["samples"], strict=True), strict=True))
    minutes = [at_s / 60 for at_s in column["at_s"]]
    figure, (top, middle, bottom) = plt.subplots(3, 1, figsize=(9, 6.6), sharex=True, layout="constrained")
    top.step(minutes, column["cameras"], where="post", color=GREY, linewidth=1.2, label="cameras registered")
    top.fill_between(minutes, column["running"], step="post", color=GREY, alpha=0.3, linewidth=0, label="running")
    top.set_ylabel("cameras")
    beside = top.twinx()
    beside.step(minutes, column["readers"], where="post", color=BLUE, linewidth=1.8, label="readers")
    beside.set_ylabel("readers", color=BLUE)
    beside.set_ylim(0, 1.25 * max(column["readers"]))
    beside.spines[["top"]].set_visible(False)
    top.set_ylim(0, 1.25 * max(column["cameras"]))
    top.legend(frameon=False, loc="upper right", ncols=2)
    ages = [float("nan") if age is None else age for age in column["frame_age_s"]]
    middle.plot(minutes, ages, color=ORANGE, linewidth=1.2)
    middle.set_ylabel("oldest frame age, s")
    middle.set_ylim(0, 1.25 * max((age for age in ages if age == age), default=1.0))
    window, shares = 10, []
    for index in range(len(minutes)):
        begin = max(0, index - window)
        seen = column["analysed"][index] - column["analysed"][begin]
        missed = column["skipped"][index] - column["skipped"][begin]
        shares.append(missed / (seen + missed) if seen > 0 and missed >= 0 else float("nan"))
    bottom.plot(minutes, shares, color=BLUE, linewidth=1.2)
    bottom.set_ylabel("share skipped,\nlast 10 s")
    bottom.set_ylim(-0.005, 1.25 * max(0.08, max((share for share in shares if share == share), default=0.0)))
    bottom.set_xlabel("minutes")
    bottom.set_xlim(0, minutes[-1])
    for axes in (top, middle, bottom):
        axes.spines[["top"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
    figure.savefig(ROOT / "docs" / "images" / "elastic-ramp.png", dpi=110)


def plot_day(curve: dict) -> None:
    """Cameras that are on, and readers."""
    hours, cameras, needed, readers = zip(*curve["rows"], strict=True)
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(9, 5.4), sharex=True, height_ratios=(1, 2), layout="constrained"
    )
    above.fill_between(hours, cameras, color=GREY, alpha=0.35, linewidth=0)
    above.set_ylabel("cameras that are on")
    above.set_ylim(bottom=0)
    below.step(hours, readers, where="post", color=BLUE, linewidth=1.8, label="readers")
    below.plot(hours, needed, color=ORANGE, linewidth=1.4, label="readers needed")
    below.set_ylabel("readers of 1 core")
    below.set_ylim(bottom=0)
    below.set_xlabel("hour of the day, UTC")
    below.set_xlim(0, 24)
    below.set_xticks(range(0, 25, 3))
    below.legend(frameon=False, loc="lower left")
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
    figure.savefig(ROOT / "docs" / "images" / "elastic-day.png", dpi=110)


if __name__ == "__main__":
    main()
