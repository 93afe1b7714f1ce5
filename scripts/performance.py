"""Draws docs/performance-light.svg and docs/performance-dark.svg from docs/performance.json (`RESULTS=docs/performance.json PEERS=1 make bench`), and
writes the table of docs/PERFORMANCE.md anew."""

import json
import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

DOCS = Path(__file__).parent.parent / "docs"
BEGIN, END = "<!-- by make performance -->", "<!-- end -->"

# Rows that stand beside each other in the plot, in this order; those that were not run are left out.
SHOWN = [
    "signed loop",
    "longshore, events alone",
    "longshore",
    "longshore, 20 ms a call and 5 ms a write",
    "longshore by sdk",
    "mq-bridge, events alone",
    "sqs-consumer, events alone",
    "sqs-consumer",
    "boto3, events alone",
    "boto3",
]
COLUMNS = [
    ("CPU s/million", "cpu_seconds_per_million", 1),
    ("messages/s", "messages_per_second", 0),
    ("peak RSS MiB", "peak_rss_mib", 0),
    ("receives/message", "receives_per_message", 3),
    ("deletes/message", "deletes_per_message", 3),
]
# Text, bars of Longshore, bars of others.
THEMES = {"light": ("#1f2328", "#1f4e8c", "#b8c0ca"), "dark": ("#e6edf3", "#6ea8fe", "#4d5763")}


def plot(rows, theme):
    text, ours, others = THEMES[theme]
    pyplot.rcParams.update({"font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "longshore", "font.family": "sans-serif"})
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 0.42 * len(rows) + 1), sharey=True)
    names = [row["name"] for row in rows]
    for axis, (title, column) in zip(axes, [("CPU seconds per million messages", "cpu_seconds_per_million"), ("messages a second", "messages_per_second")]):
        values = [row["median"][column] for row in rows]
        axis.barh(names, values, color=[ours if name.startswith("longshore") else others for name in names])
        for index, value in enumerate(values):
            axis.text(value, index, f" {value:,.0f}", va="center", color=text)
        axis.set_title(title, color=text, loc="left", fontsize=10)
        axis.set_xlim(0, max(values) * 1.15)
        axis.xaxis.set_visible(False)
        axis.tick_params(axis="y", colors=text, length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(DOCS / f"performance-{theme}.svg", transparent=True, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def table(results):
    machine = results["machine"]
    runs = max(len(row["runs"]) for row in results["rows"])
    yield f"{results['messages']:,} messages a row, medians of {runs} runs, {machine['processors']} processors ({machine['processor']}) shared with the servers."
    yield ""
    yield "| | times its loop | " + " | ".join(title for title, *_ in COLUMNS) + " | lost, doubled, stale |"
    yield "|---" * (len(COLUMNS) + 3) + "|"
    for row in results["rows"]:
        ratio = f"{row['cpu_ratio']:.2f}" if row["cpu_ratio"] else ""
        figures = [f"{row['median'][column]:,.{decimals}f}" for _, column, decimals in COLUMNS]
        wrong = row["wrong"]
        wrong = f"{wrong['lost']:,}, {wrong['doubled']:,}, {wrong['stale']:,}" if wrong else ""
        yield f"| {row['name']} | {ratio} | {' | '.join(figures)} | {wrong} |"
    for name, why in results["not_run"]:
        yield f"| {name} | NOT RUN: {why} |" + " |" * (len(COLUMNS) + 1)
    yield ""
    if latency := results["latency"]:
        ours, bare = latency["longshore"], latency["bare"]
        yield (
            f"- From sent to durable at a hundred a second: p50 {ours['p50_ms']:.1f} ms, {ours['p50_ms'] / bare['p50_ms']:.2f} times that of one receive and one write; "
            f"p99 {ours['p99_ms']:.1f} ms, {ours['p99_ms'] / bare['p99_ms']:.2f} times."
        )
    if ramp := results["ramp"]:
        yield (
            f"- From idle, 20 ms a call and 5 ms a write: full speed ({ramp['messages_per_second']:,.0f} messages a second) {ramp['full_speed_after_s']:.1f} s after a backlog "
            f"appeared; {ramp['receives_per_minute']:.0f} receives in the second minute after its end."
        )
    if idle := results["idle"]:
        yield f"- Idle, admin server on: {idle['cpu_percent']:.2f} % of a core, {idle['receives_per_minute']:.0f} receives a minute."


def main():
    results = json.loads((DOCS / "performance.json").read_text())
    rows = {row["name"]: row for row in results["rows"]}
    for theme in THEMES:
        plot([rows[name] for name in SHOWN if name in rows], theme)
    page = DOCS / "PERFORMANCE.md"
    text = page.read_text()
    marked = re.compile(f"{BEGIN}.*?{END}", re.DOTALL)
    assert marked.search(text), f"{page.name} has no place for the table: {BEGIN} ... {END}"
    page.write_text(marked.sub(lambda _: "\n".join([BEGIN, *table(results), END]), text))


main()
