"""CPU time of a process by thread, and of everything else on its core."""
import os
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
EPOLL_WAIT, POLL = {"x86_64": ("232", "7")}.get(os.uname().machine, ("22", "73"))


def threads(pid):
    """Thread id -> (name, seconds on a CPU, user ticks, system ticks)."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            stat = (task / "stat").read_text()
            ran = int((task / "schedstat").read_text().split()[0]) / 1e9
        except OSError:
            continue       # ended meanwhile
        fields = stat[stat.rindex(")") + 2:].split()
        found[int(task.name)] = (stat[stat.index("(") + 1:stat.rindex(")")], ran, int(fields[11]), int(fields[12]))
    return found


def waits_in(pid, samples=5):
    """Thread id -> system calls that it was seen waiting in."""
    seen = {}
    for _ in range(samples):
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                seen.setdefault(int(task.name), set()).add((task / "syscall").read_text().split()[0])
            except OSError:
                continue       # ended meanwhile
        time.sleep(0.02)
    return seen


def roles(pid, seconds):
    """Thread id -> worker, delivery, librdkafka or other. Call while the process idles: the server's
    own threads are told apart by what they wait in; the busiest in epoll is the worker, in poll the delivery."""
    waits = waits_in(pid)
    found = {t: "librdkafka" if v[0].startswith("rdk:") else "other" for t, v in threads(pid).items()}
    for role, call in (("worker", EPOLL_WAIT), ("delivery", POLL)):
        mine = [t for t, calls in waits.items() if call in calls and found.get(t) == "other"]
        if mine:
            found[max(mine, key=lambda t: seconds.get(t, 0.0))] = role
    return found


def total_seconds(pid):
    """User and system seconds of the whole process, ended threads included (tick resolution)."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat[stat.rindex(")") + 2:].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def core_seconds(core):
    """Busy and stolen seconds of one core so far."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            user, nice, system, _, _, irq, softirq, steal = map(int, line.split()[1:9])
            return (user + nice + system + irq + softirq) / TICK, steal / TICK
    raise RuntimeError(f"no core {core}")


def resident_bytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"no VmRSS of {pid}")
