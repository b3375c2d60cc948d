"""The confusion matrix of docs/drift.md, of benchmarks/results/drift.json. Run in .venv-bench, which has matplotlib."""

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).parent.parent


def main() -> None:
    faults = json.loads((ROOT / "benchmarks" / "results" / "drift.json").read_text())["faults"]
    named = {cause for found in faults.values() for cause in found["taken_for"]}
    causes = [*dict.fromkeys(found["cause"] for found in faults.values())]
    causes += [*sorted(named - set(causes) - {"nothing"}), "nothing"]
    shares = [[found["taken_for"].get(cause, 0) / found["times"] for cause in causes] for found in faults.values()]
    figure, axes = plt.subplots(figsize=(9, 5.2), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, line in enumerate(shares):
        for column, share in enumerate(line):
            if share:
                colour = "white" if share > 0.5 else "black"
                axes.text(column, row, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(causes)), causes)
    axes.set_yticks(range(len(faults)), list(faults))
    axes.set_xlabel("what people are told")
    axes.set_ylabel("what befell the camera")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.savefig(ROOT / "docs" / "images" / "drift-causes.png", dpi=110)


if __name__ == "__main__":
    main()
