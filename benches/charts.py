#!/usr/bin/env python3
"""benches/charts.py RESULTS DIRECTORY: bench-throughput.svg and bench-latency.svg, of those sections that RESULTS has."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
# The same results make the same bytes. Text stays text: it can be searched and read aloud.
matplotlib.rcParams.update({"svg.hashsalt": "lb_backup", "svg.fonttype": "none", "font.family": "sans-serif"})
matplotlib.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})

from matplotlib import pyplot  # noqa: E402: after the backend is chosen
from matplotlib.patches import Patch  # noqa: E402

from results import OUT_OF_PATIENCE, Results  # noqa: E402

OURS, UNCHECKED, SOUND, UNSOUND, NONE = "#1f6feb", "#9cc2f7", "#8c959f", "#dfb99f", "#1a7f37"
UNSOUND_BESIDE_A_WRITER = ("cp", "zstd -T0 -3 of the file", "the game's way (copy_file, then gzip)")


def colour(name):
    if name.startswith("lb_backup"):
        return UNCHECKED if "no checks" in name else OURS
    return UNSOUND if name in UNSOUND_BESIDE_A_WRITER else SOUND


def save(figure, path):
    figure.savefig(path, metadata={"Date": None}, facecolor="white", bbox_inches="tight", pad_inches=0.15)
    pyplot.close(figure)


def title(axes, text):
    axes.set_title(text, loc="left", fontweight="bold", fontsize=11)


def name_bars(axes, names):
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.tick_params(axis="y", length=0)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text().startswith("lb_backup") else "normal")


def bars(axes, results, section, names):
    """The fastest on top; thin lines from the slowest round to the fastest."""
    mebibytes = results.median(section, "source", "bytes") / 2**20
    rates = {name: mebibytes / results.median(section, name, "seconds") for name in names}
    names = sorted(names, key=rates.get)
    for y, name in enumerate(names):
        rounds = [mebibytes / value for value in results.values(section, name, "seconds")]
        axes.barh(y, rates[name], color=colour(name), height=0.72)
        axes.plot([min(rounds), max(rounds)], [y, y], color="#24292f", linewidth=1)
        axes.annotate(f"{rates[name]:.0f}", (max(rounds), y), xytext=(5, 0), textcoords="offset points", va="center")
    name_bars(axes, names)
    axes.set_xlabel("MiB of database per second")
    axes.margins(x=0.08)


def draw_throughput(results, path):
    where = {"plain": "to a plain file", "compressed": "to a compressed file"}
    names = {
        section: [name for name in results.contenders(section) if "normal priority" not in name] for section in where
    }
    heights = [len(of_one) for of_one in names.values()]
    figure, panels = pyplot.subplots(
        2, 1, figsize=(9, 0.34 * sum(heights) + 2), gridspec_kw={"height_ratios": heights}, layout="constrained"
    )
    for axes, section in zip(panels, where):
        bars(axes, results, section, names[section])
        title(axes, f"A backup of {results.sizes()['medium']} {where[section]}, until it is on the disk")
    kinds = {
        "lb_backup: quick verification, SHA-256": OURS,
        "lb_backup without them": UNCHECKED,
        "sound beside a writer, if it ends": SOUND,
        "not sound beside a writer": UNSOUND,
    }
    # Down there the bars are short.
    panels[1].legend(
        handles=[Patch(color=kind, label=label) for label, kind in kinds.items()], loc="lower right", frameon=False
    )
    save(figure, path)


# The lines of the chart of commits; what is left out is in the tables.
LINES = {
    "no backup": NONE,
    "lb_backup to .db": OURS,
    "lb_backup to .db.zst": "#79b0f5",
    "cp": UNSOUND,
    "zstd -T0 -3 of the file": "#b35900",
    "VACUUM INTO": SOUND,
    "sqlite3 .backup": "#424a53",
    "Python Connection.backup(pages=100)": "#8250df",
}


def draw_commits(axes, results):
    for name, line in LINES.items():
        tail = [value * 1e3 for value in results.values("live", name, "commit tail")]
        slower = [10 ** (-i / 10) for i in range(len(tail))]  # as live.cpp takes them
        bold = name == "no backup" or name.startswith("lb_backup")
        axes.plot(tail, slower, color=line, linewidth=2.2 if bold else 1.2, label=name, zorder=3 if bold else 2)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_yticks([1, 0.1, 0.01, 0.001, 0.0001], ["all", "1 in 10", "1 in 100", "1 in 1,000", "1 in 10,000"])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(color="#d0d7de", linewidth=0.6)
    axes.set_xlabel("a commit takes longer than, ms")
    axes.legend(frameon=False, fontsize=9, loc="lower left")  # no tail comes there
    title(axes, "The host's commits during a backup, one every 2 ms")


def draw_frames(axes, results):
    """Dots: the longest frame; thin lines: from the median frame to it."""
    names = results.contenders("live")[::-1]
    for y, name in enumerate(names):
        usual, longest = (results.median("live", name, f"frame {which}") * 1e3 for which in ("p50", "max"))
        dot = NONE if name == "no backup" else colour(name)
        axes.plot([usual, longest], [y, y], color=dot, linewidth=2)
        axes.plot(longest, y, "o", color=dot)
        text = f"{longest:.1f} ms" if longest < 1e3 else f"{longest / 1e3:.1f} s"
        if OUT_OF_PATIENCE in results.values("live", name, "exit code"):
            text += ", and no copy after 60 s"
        axes.annotate(text, (longest, y), xytext=(8, 0), textcoords="offset points", va="center")
    name_bars(axes, names)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.2)
    axes.set_xlabel("from the median frame to the longest, ms")
    title(axes, "A frame loop at 60 Hz during a backup")


def draw_latency(results, path):
    figure, panels = pyplot.subplots(2, 1, figsize=(9, 8.5), gridspec_kw={"height_ratios": (5, 4)}, layout="constrained")
    draw_commits(panels[0], results)
    draw_frames(panels[1], results)
    save(figure, path)


def main():
    results, directory = Results(sys.argv[1]), Path(sys.argv[2])
    if results.has("plain", "compressed"):
        draw_throughput(results, directory / "bench-throughput.svg")
    if results.has("live"):
        draw_latency(results, directory / "bench-latency.svg")


main()
