"""Waiting with a deadline: the only way tests wait for anything."""
import time


def wait_until(probe, what, timeout=20.0, interval=0.02):
    """Calls probe() until it returns something true; fails with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what() if callable(what) else what}")
        time.sleep(interval)
