"""The plot of docs/elastic.md, of benchmarks/results/elastic.json. Run in .venv-bench, which has matplotlib."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent
BLUE, ORANGE, GREY = "#2563a8", "#d97706", "#6b7280"


def main() -> None:
    curve = json.loads((ROOT / "benchmarks" / "results" / "elastic.json").read_text())["curve"]
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
