"""Reads what `ping -D` printed: answers, losses and the longest time between two answers."""

import re

_answer = re.compile(r"^\[(\d+\.\d+)\] .*icmp_seq=(\d+) ")
_summary = re.compile(r"(\d+) packets transmitted, (\d+) received")

# When ping is interrupted, the answers to its newest requests are still under way: of those of the last 100 ms, at its interval.
UNDER_WAY = 2


def figures(text):
    """Counts the requests. Those after the last answer count as lost only if they are more than can be under way. `missing`
    has the sequence numbers of the first that got no answer."""
    last, longest, answered = None, 0.0, set()
    for line in text.splitlines():
        answer = _answer.match(line)
        if not answer or "bytes from" not in line or "DUP!" in line:
            continue
        now = float(answer.group(1))
        if last is not None:
            longest = max(longest, now - last)
        last = now
        answered.add(int(answer.group(2)))
    newest = max(answered, default=0)
    summary = _summary.search(text)
    sent = int(summary.group(1)) if summary else newest
    if sent - newest <= UNDER_WAY:
        sent = newest
    missing = sorted(set(range(1, sent + 1)) - answered)
    return {"sent": sent, "received": len(answered), "lost": len(missing), "missing": missing[:10],
            "longest_gap_ms": round(longest * 1000, 1)}  # fmt: skip
