"""A day of bursty load on a queue, with an outage of the database, under the chart's own rule for KEDA and under two that are worse.
Writes docs/scaling.png and prints the table of docs/SCALING.md. The rule is read from the rendered chart, the rest stands below.

KEDA hands the messages to a HorizontalPodAutoscaler, which decides every 15 s: messages / messagesPerReplica, rounded up, where that differs by more
than a tenth; the greatest wish of the last scaleDown window; so many at a time.
https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details"""

import math
import sys
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
DAY = 24 * 3600

# What one worker with a core of its own writes in a second. `make bench` measured 11,300 on two cores that it shared with both servers.
RATE = 5_000
# What one worker holds at most: config.in_flight.messages_max.
HELD = 10_000
# From a message's receive to its delete, seconds: a write and the wait for ten deletes.
HOLD = 1
# While the secondaries lag, and every write waits for the majority: what is held is held for longer.
LAG, HOLD_IN_LAG = (int(12 * 3600), int(14.5 * 3600)), 8
# From the decision to a worker that receives, seconds: schedule, pull, start.
START = 20
# SQS counts approximately: what it says is as old as this, seconds.
COUNT_LAG = 30
# What the primary takes in a second, however many workers there are.
PRIMARY = 40_000
DECIDE_EVERY = 15
TOLERANCE = 0.1

# A worker that finds no database at its start ends, and is started again after a pause that doubles up to five minutes.
CRASH_PAUSES = [10, 20, 40, 80, 160] + [300] * 100

OUTAGE = (int(17.5 * 3600), 18 * 3600)
# (begin in hours, minutes, messages per second on top)
BURSTS = [(3, 15, 12_000), (9, 5, 30_000), (11.5, 20, 15_000), (15.5, 2, 60_000), (20, 30, 10_000), (22, 1, 100_000)]


def arrivals(second):
    """Messages in this second: quiet at night, most in the afternoon, and bursts."""
    hour = second / 3600
    load = 300 + 2_700 * max(0, math.sin((hour - 6) / 16 * math.pi)) ** 2 if 6 <= hour <= 22 else 300
    return load + sum(more for begin, minutes, more in BURSTS if begin <= hour < begin + minutes / 60)


@dataclass
class Rule:
    least: int
    most: int
    target: int
    up_window: int
    up_percent: int
    up_period: int
    down_window: int
    down_pods: int
    down_period: int
    polling: int
    counts_in_flight: bool = True
    sees_gate: bool = True


def rule_of_chart():
    documents = yaml.safe_load_all((ROOT / "tests/chart/golden/keda.yaml").read_text())
    spec = next(item for item in documents if item and item["kind"] == "ScaledObject")["spec"]
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    up, down = behavior["scaleUp"], behavior["scaleDown"]
    queue = spec["triggers"][0]["metadata"]
    return Rule(
        least=spec["minReplicaCount"],
        most=spec["maxReplicaCount"],
        target=int(queue["queueLength"]),
        up_window=up["stabilizationWindowSeconds"],
        up_percent=up["policies"][0]["value"],
        up_period=up["policies"][0]["periodSeconds"],
        down_window=down["stabilizationWindowSeconds"],
        down_pods=down["policies"][0]["value"],
        down_period=down["policies"][0]["periodSeconds"],
        polling=spec["pollingInterval"],
        counts_in_flight=queue["scaleOnInFlight"] == "true",
        sees_gate="scalingModifiers" in spec["advanced"],
    )


class Autoscaler:
    def __init__(self, rule):
        self.rule = rule
        self.wishes = deque()
        self.changes = deque()
        self.seen = 0

    def decide(self, now, replicas, visible, in_flight, gate_open):
        rule = self.rule
        if now % rule.polling == 0:
            self.seen = visible + (in_flight if rule.counts_in_flight else 0)
            if rule.sees_gate and not gate_open:
                self.seen = replicas * rule.target
        ratio = self.seen / (replicas * rule.target)
        wish = replicas if abs(ratio - 1) <= TOLERANCE else math.ceil(self.seen / rule.target)
        wish = min(max(wish, rule.least), rule.most)
        self.wishes.append((now, wish))
        while self.wishes[0][0] < now - max(rule.up_window, rule.down_window):
            self.wishes.popleft()
        # Up to the least that was wished in the window, down to the most.
        up = min(wished for at, wished in self.wishes if at >= now - rule.up_window)
        down = max(wished for at, wished in self.wishes if at >= now - rule.down_window)
        if up > replicas:
            begun = replicas - self.changed(now, rule.up_period, 1)
            result = min(up, begun + math.ceil(begun * rule.up_percent / 100))
        elif down < replicas:
            begun = replicas - self.changed(now, rule.down_period, -1)
            result = max(down, begun - rule.down_pods)
        else:
            result = replicas
        if (up > replicas and result > replicas) or (down < replicas and result < replicas):
            self.changes.append((now, result - replicas))
            return result
        return replicas

    def changed(self, now, period, sign):
        """By how many it has already gone that way within a policy's period."""
        while self.changes and self.changes[0][0] <= now - max(self.rule.up_period, self.rule.down_period):
            self.changes.popleft()
        return sum(by for at, by in self.changes if at > now - period and by * sign > 0)


def ready_at(started):
    """When a worker receives that was started then."""
    at = started + START
    for pause in CRASH_PAUSES:
        if not OUTAGE[0] <= at < OUTAGE[1]:
            break
        at += pause
    return at


def simulate(rule):
    autoscaler = Autoscaler(rule)
    replicas = rule.least
    ready = []
    working = rule.least
    backlog = 0.0
    said = deque()
    history = []
    for now in range(DAY):
        gate_open = not OUTAGE[0] <= now < OUTAGE[1]
        working += sum(at == now for at in ready)
        ready = [at for at in ready if at > now]
        backlog += arrivals(now)
        # While the gate is closed each worker keeps one batch, and gives back the rest.
        in_flight = min(backlog, working * (HELD if gate_open else 1_000))
        hold = HOLD_IN_LAG if LAG[0] <= now < LAG[1] else HOLD
        done = min(in_flight / hold, working * RATE, PRIMARY) if gate_open else 0
        backlog -= done
        said.append((backlog - min(in_flight, backlog), min(in_flight, backlog)))
        if len(said) > COUNT_LAG:
            said.popleft()
        if now % DECIDE_EVERY == 0:
            wanted = autoscaler.decide(now, replicas, *said[0], gate_open)
            for _ in range(wanted - replicas):
                ready.append(ready_at(now))
            for _ in range(replicas - wanted):
                # Those that are not ready are stopped first.
                if ready:
                    ready.pop()
                else:
                    working -= 1
            replicas = wanted
        history.append((backlog, replicas, min(in_flight, backlog), done))
    return history


def waits(history):
    """Seconds from the sending of a message to its end, for those of each second but the outage's, which wait for its end."""
    sent = ended = 0.0
    end = 0
    for second in range(DAY):
        sent += arrivals(second)
        while end < DAY and ended < sent - 1:
            ended += history[end][3]
            end += 1
        if not OUTAGE[0] <= second < OUTAGE[1]:
            yield max(end - 1 - second, 0), arrivals(second)


def directions(history):
    """How often the number of workers turned from going up to going down, or back."""
    turns, last = 0, 0
    for (_, before, *_), (_, after, *_) in zip(history, history[1:]):
        if after != before:
            sign = 1 if after > before else -1
            turns += last not in (0, sign)
            last = sign
    return turns


def drained_after_outage(history):
    return next(second for second in range(OUTAGE[1], DAY) if history[second][0] <= HELD) - OUTAGE[1]


def plot(results, rule):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    hours = [second / 3600 for second in range(0, DAY, 15)]
    pyplot.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = pyplot.subplots(4, 1, figsize=(11, 10), sharex=True, height_ratios=[1, 1.4, 1, 1])
    chart = results["as the chart does"]
    axes[0].fill_between(hours, [arrivals(second) / 1000 for second in range(0, DAY, 15)], color="#8aa4c8", linewidth=0)
    axes[0].set_ylabel("messages sent,\nthousands a second")
    axes[1].semilogy(hours, [max(chart[second][0], 1) for second in range(0, DAY, 15)], color="#1f4e8c", linewidth=1.2)
    axes[1].set_ylabel("backlog, messages\n(the chart's rule)")
    axes[2].plot(hours, [chart[second][2] / 1000 for second in range(0, DAY, 15)], color="#1f4e8c", linewidth=1)
    axes[2].axhline(120, color="#b03a2e", linewidth=0.8, linestyle="--")
    axes[2].set_ylabel("in flight,\nthousands")
    axes[2].text(0.1, 113, "SQS gives out no more", color="#b03a2e", va="top", fontsize=9)
    styles = {"as the chart does": ("#1f4e8c", 1.8), "blind to the gate": ("#c77f1a", 1.1), "blind to what is in flight": ("#b03a2e", 1.1)}
    for name, (color, width) in reversed(styles.items()):
        axes[3].step(hours, [results[name][second][1] for second in range(0, DAY, 15)], color=color, linewidth=width, label=name, where="post")
    axes[3].set_ylabel("workers")
    axes[3].set_xlabel("hour of the day")
    axes[3].set_ylim(0, rule.most + 3)
    axes[3].set_yticks(range(0, rule.most + 1, 3))
    axes[3].legend(frameon=False, ncols=3, loc="upper left", fontsize=9)
    for axis in axes:
        axis.axvspan(OUTAGE[0] / 3600, OUTAGE[1] / 3600, color="#b03a2e", alpha=0.12, linewidth=0)
        axis.axvspan(LAG[0] / 3600, LAG[1] / 3600, color="#777777", alpha=0.10, linewidth=0)
        axis.grid(axis="y", alpha=0.25)
    axes[0].text(OUTAGE[0] / 3600, axes[0].get_ylim()[1] * 0.93, " database down", color="#b03a2e", va="top", fontsize=9)
    axes[0].text(LAG[0] / 3600, axes[0].get_ylim()[1] * 0.93, " slow majority", color="#555555", va="top", fontsize=9)
    axes[3].set_xlim(0, 24)
    axes[3].set_xticks(range(0, 25, 3))
    figure.tight_layout()
    figure.savefig(ROOT / "docs" / "scaling.png", dpi=110, metadata={"Software": None})


def main():
    rule = rule_of_chart()
    rules = {
        "as the chart does": rule,
        "blind to the gate": replace(rule, sees_gate=False),
        "blind to what is in flight": replace(rule, counts_in_flight=False),
        f"{2 * rule.target:,} messages for each worker": replace(rule, target=2 * rule.target),
        f"always {rule.most}": replace(rule, least=rule.most),
        f"always {rule.least}": replace(rule, most=rule.least),
    }
    results = {name: simulate(each) for name, each in rules.items()}
    if "--plot" in sys.argv:
        plot(results, rule)
    sent = sum(arrivals(second) for second in range(DAY))
    print(f"{sent / 1e6:.0f} million messages in a day, {max(arrivals(second) for second in range(DAY)) / 1000:.0f} thousand a second at most\n")
    print("| rule | worker hours | most workers | turns up and down | largest backlog | within a minute | longest wait | backlog of the outage gone after |")
    print("|---|---|---|---|---|---|---|---|")
    for name, history in results.items():
        waited = list(waits(history))
        soon = sum(count for wait, count in waited if wait <= 60) / sum(count for _, count in waited)
        print(
            f"| {name} | {sum(entry[1] for entry in history) / 3600:.0f} | {max(entry[1] for entry in history)} | {directions(history)} "
            f"| {max(entry[0] for entry in history) / 1e6:.1f} million | {soon:.1%} | {max(wait for wait, _ in waited) / 60:.1f} min "
            f"| {drained_after_outage(history) / 60:.0f} min |"
        )


main()
