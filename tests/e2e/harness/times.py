"""RFC 3339 with nanoseconds, as integers since the epoch."""
import calendar
import re
import time

RFC3339 = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
SECOND = 1_000_000_000


def parse(text):
    """Nanoseconds since the epoch; None when the text is not RFC 3339 with an offset."""
    match = RFC3339.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    seconds = calendar.timegm((year, month, day, hour, minute, second))
    if match[8] != "Z":
        sign = -1 if match[8][0] == "+" else 1
        seconds += sign * (int(match[8][1:3]) * 3600 + int(match[8][4:6]) * 60)
    return seconds * SECOND + int((match[7] or "0").ljust(9, "0"))


def form(nanoseconds):
    """UTC with a fraction of 0, 3, 6 or 9 digits, the fewest that are exact."""
    seconds, rest = divmod(nanoseconds, SECOND)
    fraction = f"{rest:09d}"
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ("." + fraction if fraction else "") + "Z"
