"""Reads what `ping -D` printed: answers, losses and the longest time between two answers."""

import re

_answer = re.compile(r"^\[(\d+\.\d+)\] .*icmp_seq=(\d+) ")
_summary = re.compile(r"(\d+) packets transmitted, (\d+) received")


def figures(text):
    last, longest, received = None, 0.0, 0
    for line in text.splitlines():
        answer = _answer.match(line)
        if not answer or "bytes from" not in line or "DUP!" in line:
            continue
        now = float(answer.group(1))
        if last is not None:
            longest = max(longest, now - last)
        last = now
        received += 1
    summary = _summary.search(text)
    sent = int(summary.group(1)) if summary else received
    return {"sent": sent, "received": received, "lost": sent - received, "longest_gap_ms": round(longest * 1000, 1)}
