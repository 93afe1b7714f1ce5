"""Draws docs/performance-light.svg and docs/performance-dark.svg from docs/performance.json, which `make bench` writes, and writes the table of
docs/PERFORMANCE.md anew."""

import json

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

from performance_page import DOCS, put

AWAY = ", 20 ms a call and 5 ms a write"

# What stands in the plot, group by group; what was not run there is named so.
GROUPS = [
    ("servers on the same machine", ["signed loop", "longshore", "sqs-consumer", "boto3"], ""),
    ("the same, events alone", ["longshore", "mq-bridge", "sqs-consumer", "boto3"], ", events alone"),
    ("20 ms a call to the queue, 5 ms a write", ["longshore", "mq-bridge, events alone", "sqs-consumer", "boto3"], AWAY),
]
COLUMNS = [
    ("CPU s/million", "cpu_seconds_per_million", 1),
    ("messages/s", "messages_per_second", 0),
    ("of a core", "cores", 2),
    ("peak RSS MiB", "peak_rss_mib", 0),
    ("receives/message", "receives_per_message", 3),
    ("deletes/message", "deletes_per_message", 3),
]
# Text, bars of Longshore, bars of others.
THEMES = {"light": ("#1f2328", "#1f4e8c", "#b8c0ca"), "dark": ("#e6edf3", "#6ea8fe", "#4d5763")}


def plot(results, theme):
    text, ours, others = THEMES[theme]
    rows = {row["name"]: row["median"] for row in results["rows"]}
    missing = {name: "NOT RUN" for name, _ in results["not_run"]} | {name: "FAILED" for name, _ in results["failed"]}
    lines, at = [], 0
    for title, names, ending in GROUPS:
        lines.append((at, title, None))
        lines += [(at + 1 + index, name, name + ending) for index, name in enumerate(names)]
        at += len(names) + 1.6
    pyplot.rcParams.update({"font.size": 10, "svg.fonttype": "none", "svg.hashsalt": "longshore", "font.family": "sans-serif"})
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 0.32 * at + 0.4), sharey=True)
    columns = [("CPU seconds for a million messages", "cpu_seconds_per_million"), ("messages a second", "messages_per_second")]
    for axis, (title, column) in zip(axes, columns):
        values = [rows[row][column] for _, _, row in lines if row in rows]
        for y, _, row in lines:
            if row in rows:
                axis.barh(y, rows[row][column], color=ours if row.startswith("longshore") else others)
                axis.text(rows[row][column], y, f" {rows[row][column]:,.0f}", va="center", color=text)
            elif row:
                axis.text(0, y, f" {missing.get(row, 'NOT RUN')}", va="center", color=text)
        axis.set_title(title, color=text, loc="left", fontsize=10)
        axis.set_xlim(0, max(values) * 1.15)
        axis.xaxis.set_visible(False)
        axis.tick_params(axis="y", colors=text, length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
    axes[0].set_yticks([y for y, *_ in lines], [label for _, label, _ in lines])
    for (_, _, row), label in zip(lines, axes[0].get_yticklabels()):
        label.set_fontweight("bold" if row is None else "normal")
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(DOCS / f"performance-{theme}.svg", transparent=True, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def figure(value, decimals):
    """Blank where a process does not tell it."""
    return "" if value is None else f"{value:,.{decimals}f}"


def table(results):
    machine = results["machine"]
    runs = max((len(row["runs"]) for row in results["rows"]), default=0)
    of_runs = {1: "one run", 2: "means of two runs"}.get(runs, f"medians of {runs} runs")
    if runs > 1:
        of_runs += ", and from which to which the CPU went"
    yield f"{results['messages']:,} messages a row (of 64 KiB a twenty-fifth), {of_runs}; {machine['processors']} processors ({machine['processor']}) shared with the servers."
    yield ""
    yield "| | times its loop | " + " | ".join(title for title, *_ in COLUMNS) + " | lost, doubled, stale |"
    yield "|---" * (len(COLUMNS) + 3) + "|"
    for row in results["rows"]:
        ratio = f"{row['cpu_ratio']:.2f}" if row["cpu_ratio"] else ""
        median = row["median"]
        # How much of one core it was using: where that is far from 1, something else was the wall.
        median["cores"] = median["cpu_seconds_per_million"] * median["messages_per_second"] / 1e6
        figures = [figure(median[column], decimals) for _, column, decimals in COLUMNS]
        cpu = [run["cpu_seconds_per_million"] for run in row["runs"]]
        if len(cpu) > 1:
            figures[0] += f" ({min(cpu):,.1f} to {max(cpu):,.1f})"
        wrong = row["wrong"]
        wrong = f"{wrong['lost']:,}, {wrong['doubled']:,}, {wrong['stale']:,}" if wrong else ""
        yield f"| {row['name']} | {ratio} | {' | '.join(figures)} | {wrong} |"
    for name, why in results["not_run"]:
        yield f"| {name} | NOT RUN: {why} |" + " |" * (len(COLUMNS) + 1)
    for name, why in dict(results["failed"]).items():
        yield f"| {name} | FAILED: {why} |" + " |" * (len(COLUMNS) + 1)
    yield ""
    if latency := results["latency"]:
        ours, bare = latency["longshore"], latency["bare"]
        yield (
            f"- From sent to durable at a hundred a second: p50 {ours['p50_ms']:.1f} ms, {ours['p50_ms'] / bare['p50_ms']:.2f} times that of one receive and one write; "
            f"p99 {ours['p99_ms']:.1f} ms, {ours['p99_ms'] / bare['p99_ms']:.2f} times; {latency['receives_per_message']:.2f} receives a message, after a backlog."
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
    for theme in THEMES:
        plot(results, theme)
    put("make performance", table(results))


main()
