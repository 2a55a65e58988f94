#!/usr/bin/env python3
"""Was every attack of tests/live-tools.sh told in time? Run by it, in its directory, with the exit codes of both analyses.

Knows what is documented (which packet crosses a threshold) and counts it in tshark's fields of what was recorded, or in what
the server logged; knows the lines that nsm said and when they came. Takes nothing from nsm that it holds nsm to.
"""

import collections
import datetime
import json
import sys
from pathlib import Path

SEVERITIES = ["info", "low", "medium", "high", "critical"]
SECOND = 10**9
# From the packet to the line. DESIGN: alerts are told within a second.
LATEST = 1 * SECOND
VICTIM = "10.213.1.10"
SSH = 2222

FIELDS = "number time src dst proto sport dport flags length icmp arp asks asked reply"
Packet = collections.namedtuple("Packet", FIELDS)
Case = collections.namedtuple("Case", "name began status type also attackers victims crossings")
Line = collections.namedtuple("Line", "at told")
Row = collections.namedtuple("Row", "case expected told crossed line latency verdict")


def main():
    ended, offline = int(sys.argv[1]), int(sys.argv[2])
    packets, cases, lines = read_packets(), read_cases(), read_lines()
    rows = []
    for case, until in zip(cases, [case.began for case in cases[1:]] + [packets[-1].time + 1]):
        seen = [packet for packet in packets if case.began <= packet.time < until]
        found = [line for line in lines if is_named(case, line.told)]
        during = [line for line in lines if case.began <= line.at < until]
        rows += quiet(case, seen) if case.type == "nothing" else told(case, seen, found)
        false = {line.told["id"]: line for line in reversed(during) if is_alarm(line.told) and not any(is_named(c, line.told) for c in cases)}
        rows += [false_alarm(case, line) for line in false.values()]
    rows += at_the_end(ended, offline, lines)
    show(rows)
    sys.exit(any(row.verdict != "ok" for row in rows))


# --- what there is ----------------------------------------------------------------------------------------------------


def nanoseconds(seconds):
    whole, _, fraction = seconds.partition(".")
    return int(whole) * SECOND + int(fraction.ljust(9, "0")[:9])


def number(text):
    return int(text, 0) if text else None


def read_packets():
    packets = []
    for line in Path("packets").read_text().splitlines():
        fields = Packet(*line.split("\t"))
        numbers = {name: number(getattr(fields, name)) for name in "number proto sport dport flags length icmp arp reply".split()}
        packets.append(fields._replace(time=nanoseconds(fields.time), **numbers))
    return packets


def read_cases():
    cases = []
    for line in Path("cases").read_text().splitlines():
        case = Case(*line.split("\t"))
        listed = lambda text: [word for word in text.split(",") if word]
        cases.append(
            case._replace(
                began=nanoseconds(case.began),
                also=listed(case.also),
                attackers=listed(case.attackers),
                victims=listed(case.victims),
                crossings=[crossing.replace(":", "=").split("=") for crossing in listed(case.crossings)],
            )
        )
    return cases


def read_lines():
    lines = (line.split("\t", 1) for line in Path("told").read_text().splitlines())
    return [Line(int(at), json.loads(text)) for at, text in lines]


def is_alarm(alert, floor="medium"):
    return SEVERITIES.index(alert["severity"]) >= SEVERITIES.index(floor)


def is_named(case, alert):
    """The case's attack, by type, attacker and victim."""
    meets = lambda wanted, there: not wanted or not set(wanted).isdisjoint(there)
    return alert["type"] in [case.type, *case.also] and meets(case.attackers, alert["attackers"]) and meets(case.victims, alert["victims"])


# --- the packet that crossed ------------------------------------------------------------------------------------------


def nth_distinct(packets, key, least):
    """The packet that brings the so-manieth distinct key."""
    seen = set()
    for packet in packets:
        seen.add(key(packet))
        if len(seen) == least:
            return packet
    return None


def within_a_second(packets, rate, least, seconds=1):
    """The packet that is the last of so many in a second of the clock (or more that adjoin), and of so many in all."""
    per_second = collections.Counter()
    for count, packet in enumerate(packets, 1):
        second = packet.time // SECOND
        per_second[second] += 1
        if sum(per_second[second - before] for before in range(seconds)) >= rate and count >= least:
            return packet
    return None


def refused_ports(case, packets, least):
    """port_scan: the refusal of the so-manieth port."""
    refusals = (p for p in packets if p.proto == 6 and p.src == VICTIM and p.dst in case.attackers and p.flags & 0x04)
    return nth_distinct(refusals, lambda p: p.sport, least)


def tried_hosts(case, packets, least):
    """host_sweep: the SYN to the so-manieth host (most never answer)."""
    probes = (p for p in packets if p.proto == 6 and p.src in case.attackers and p.flags & 0x12 == 0x02)
    return nth_distinct(probes, lambda p: p.dst, least)


def pinged_hosts(case, packets, least):
    """host_discovery: the echo or timestamp request to the so-manieth host, while fewer than 70 % have answered."""
    asked, answered = set(), set()
    for packet in packets:
        if packet.icmp in (8, 13) and packet.src in case.attackers:
            asked.add(packet.dst)
        elif packet.icmp in (0, 14) and packet.dst in case.attackers:
            answered.add(packet.src)
        if len(asked) >= least and len(answered) < 0.7 * len(asked):
            return packet
    return None


def arp_asked(case, packets, least):
    """host_discovery: the so-manieth address asked for, at most half of which answered, half in runs of eight or more."""
    asked, answered = set(), set()
    for packet in packets:
        if packet.arp == 1 and packet.asks in case.attackers:
            asked.add(int(packet.asked.rpartition(".")[2]))
        elif packet.arp == 2 and packet.asked in case.attackers:
            answered.add(packet.asks)
        if len(asked) >= least and 2 * len(answered) <= len(asked) and 2 * in_runs(asked) >= len(asked):
            return packet
    return None


def in_runs(numbers, shortest=8):
    run, total = 0, 0
    for value in range(min(numbers), max(numbers) + 2):
        if value in numbers:
            run += 1
        else:
            total += run if run >= shortest else 0
            run = 0
    return total


# A flood that is counted second by second is due when one second of the clock is full. As a burst may lie in two, it may be told
# from when two hold as much together.


def syns(case, packets, rate, seconds=1):
    """syn_flood: the so-manieth SYN within a second, and 200 in all."""
    return within_a_second((p for p in packets if p.proto == 6 and p.dst == VICTIM and p.flags & 0x12 == 0x02), rate, 200, seconds)


def datagrams(case, packets, rate, seconds=1):
    """udp_flood: the so-manieth datagram within a second, and 400 in all."""
    return within_a_second((p for p in packets if p.proto == 17 and p.dst == VICTIM), rate, 400, seconds)


def icmp_packets(case, packets, rate, seconds=1):
    """icmp_flood: the so-manieth packet within a second, and 400 in all."""
    return within_a_second((p for p in packets if p.proto == 1 and p.dst == VICTIM), rate, 400, seconds)


def ssh_failures(case, packets, least):
    """brute_force: the packet with which the server answered the so-manieth password that its log says failed."""
    failures = [line.split("\t", 1) for line in Path("sshd-stamped.log").read_text().splitlines() if "Failed password" in line]
    failures = [(int(at), text.split()) for at, text in failures]
    failures = [(at, int(words[words.index("port") + 1])) for at, words in failures if words[words.index("from") + 1] in case.attackers]
    if len(failures) < least:
        return None
    # Logged first, answered then.
    at, port = failures[least - 1]
    return next((p for p in packets if p.time >= at and p.sport == SSH and p.dport == port and p.length), None)


def ftp_replies(case, packets, code, least):
    replies = [p for p in packets if p.reply == code and p.dst in case.attackers]
    return replies[least - 1] if len(replies) >= least else None


CROSSINGS = {
    "ports": ("refused port", refused_ports),
    "hosts": ("host", tried_hosts),
    "echo": ("host pinged", pinged_hosts),
    "arp": ("address asked for", arp_asked),
    "syn": ("SYN in a second", syns),
    "udp": ("datagram in a second", datagrams),
    "icmp": ("ICMP packet in a second", icmp_packets),
    "ssh": ("failed password in the log", ssh_failures),
    "ftp": ("reply 530", lambda case, packets, least: ftp_replies(case, packets, 530, least)),
    "ftp-success": ("reply 230", lambda case, packets, least: ftp_replies(case, packets, 230, least)),
}
FLOODS = ("syn", "udp", "icmp")


# --- verdicts ---------------------------------------------------------------------------------------------------------


def told(case, packets, lines):
    """A row for each severity that the attack must have reached, and when."""
    for severity, what, least in case.crossings:
        words, crossed = CROSSINGS[what][0], CROSSINGS[what][1](case, packets, int(least))
        expected = f"{case.type}, {severity} at {words} {least}"
        line = next((l for l in lines if l.told["type"] == case.type and l.told["status"] != "withdrawn" and is_alarm(l.told, severity)), None)
        first = CROSSINGS[what][1](case, packets, int(least), seconds=2) if what in FLOODS else crossed
        latency = line.at - crossed.time if line and crossed else None
        if crossed is None:
            verdict = f"NOT DONE (status {case.status})"
        elif line is None:
            verdict = "MISSED"
        elif line.at < first.time:
            verdict = "EARLY"
        else:
            verdict = "LATE" if latency > LATEST else "ok"
        known = line or (lines[-1] if lines else None)
        yield Row(case.name, expected, known and words_of(known.told), crossed, line, latency, verdict)
    for line in lines:
        if line.told["status"] == "withdrawn" and is_alarm(line.told):
            yield Row(case.name, "not withdrawn", words_of(line.told), None, line, None, "WITHDRAWN")
    others = {address: line for line in lines for address in set(line.told["attackers"]).difference(case.attackers)}
    for address, line in sorted(others.items()):
        yield Row(case.name, "nobody else is blamed", f"{words_of(line.told)} by {address}", None, line, None, "BLAMES")


def words_of(alert):
    return f'{alert["severity"]} {alert["type"]}'


def quiet(case, packets):
    """Silence proves nothing where nothing happened."""
    exchanged = sum(1 for packet in packets if {packet.src, packet.dst} == {*case.attackers, *case.victims})
    done = case.status == "0" and exchanged >= 100
    yield Row(case.name, "nothing, medium or above", f"{exchanged} packets", None, None, None, "ok" if done else f"NOT DONE (status {case.status})")


def false_alarm(case, line):
    return Row(case.name, "nothing else", words_of(line.told) + ": " + line.told["message"], None, line, None, "FALSE ALARM")


def at_the_end(ended, offline, lines):
    yield Row("exit code", "0 live, 0 offline", f"{ended} live, {offline} offline", None, None, None, "ok" if (ended, offline) == (0, 0) else "WRONG")
    lives, files = sorted(Path("live").glob("live-*/*/alerts.jsonl")), sorted(Path("offline").glob("*/alerts.jsonl"))
    if len(lives) != 1 or len(files) != 1:
        yield Row("report", "one live, one offline", f"{len(lives)} live, {len(files)} offline", None, None, None, "MISSING")
        return
    live, offline = alerts_of(lives[0]), alerts_of(files[0])
    same = f"{len(live)} alerts, {sum(map(is_alarm, live.values()))} at medium or above"
    yield from differences("report = offline", live, offline, same)
    final = {line.told["id"]: line.told for line in lines if line.told["status"] == "final"}
    for alert in final.values():
        alert.pop("capture", None)
    yield from differences("told final = report", final, live, f"{len(final)} alerts")
    for table in ("flows.csv", "hosts.csv", "protocols.csv", "timeline.csv"):
        equal = (lives[0].parent / table).read_bytes() == (files[0].parent / table).read_bytes()
        yield Row(table, "as offline", "the same" if equal else "another", None, None, None, "ok" if equal else "DIFFERS")
    capture = json.loads((lives[0].parent / "summary.json").read_text())["capture"]
    dropped = capture["dropped_by_capture"]
    yield Row("packets", "none dropped", f'{capture["frames"]} read, {dropped} dropped', None, None, None, "ok" if dropped == 0 else "DROPPED")


def alerts_of(path):
    """By id, without what names the run."""
    alerts = (json.loads(line) for line in path.read_text().splitlines())
    return {alert.pop("id"): {key: value for key, value in alert.items() if key != "capture"} for alert in alerts}


def differences(case, ours, theirs, same):
    first, second = case.split(" = ")
    said = []
    for id in sorted({*ours, *theirs}):
        mine, other = ours.get(id), theirs.get(id)
        if mine is None or other is None:
            said.append(f"only in {first if other is None else second}: {words_of(mine or other)}")
        else:
            said += [f"{words_of(mine)}: {key} {mine.get(key)} | {other.get(key)}" for key in sorted({*mine, *other} - {"id"}) if mine.get(key) != other.get(key)]
    for line in said:
        yield Row(case, "the same alerts", line, None, None, None, "DIFFERS")
    if not said:
        yield Row(case, "the same alerts", same, None, None, None, "ok")


# --- the table --------------------------------------------------------------------------------------------------------


def clock(time):
    moment = datetime.datetime.fromtimestamp(time // SECOND, datetime.timezone.utc)
    return f"{moment:%H:%M:%S}.{time % SECOND // 10**6:03}"


def show(rows):
    table = [("case", "expected", "told", "packet", "line", "latency", "verdict")]
    for row in rows:
        packet = f"{row.crossed.number} {clock(row.crossed.time)}" if row.crossed else ""
        latency = f"{row.latency / SECOND:.3f} s" if row.latency is not None else ""
        table.append((row.case, row.expected, row.told or "", packet, clock(row.line.at) if row.line else "", latency, row.verdict))
    widths = [max(len(line[column]) for line in table) for column in range(6)]
    for line in table:
        print("  ".join(cell.ljust(min(width, 60)) for cell, width in zip(line, widths)), line[6], sep="  ")


if __name__ == "__main__":
    main()
