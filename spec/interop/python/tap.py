"""Runs the tests of one program one after the other and says what became of them, in TAP.

SPDX-License-Identifier: MIT
"""
import asyncio
import sys
import time
import traceback

PATIENCE = 20

_counts = {"all": 0, "failed": 0}


async def within(awaitable, words, seconds=PATIENCE):
    """The result, or an error that says what was waited for."""
    try:
        return await asyncio.wait_for(awaitable, seconds)
    except asyncio.TimeoutError:
        raise AssertionError(f"waited {seconds} s for {words}") from None


async def test(name, body):
    """One test: true when it passes. A failure is told and the next test runs."""
    _counts["all"] += 1
    began = time.monotonic()
    try:
        await within(body, "the end of the test", 3 * PATIENCE)
        words, text = "ok", None
    except Exception:  # whatever a client throws
        _counts["failed"] += 1
        words, text = "not ok", traceback.format_exc()
    took = int((time.monotonic() - began) * 1000)
    print(words, _counts["all"], "-", name + (f" # {took} ms" if took > 200 else ""))
    if text:
        print("\n".join("    # " + line[:500] for line in text.splitlines()))
    sys.stdout.flush()
    return text is None


def same(actual, expected):
    """Same value and type, all the way down."""
    if isinstance(expected, dict):
        assert isinstance(actual, dict), f"{actual!r:.200} is no dict"
        assert sorted(actual) == sorted(expected), f"{actual!r:.200} has other keys"
        for key, value in expected.items():
            same(actual[key], value)
    elif isinstance(expected, (list, tuple)):
        assert isinstance(actual, (list, tuple)), f"{actual!r:.200} is no list"
        assert len(actual) == len(expected), f"{len(actual)} items, not {len(expected)}"
        for one, other in zip(actual, expected):
            same(one, other)
    else:
        assert type(actual) is type(expected), f"{actual!r:.200} is no {type(expected)}"
        assert actual == expected, f"{actual!r:.200} is not {expected!r:.200}"


def finish():
    """The last line, and the exit code."""
    print(f"1..{_counts['all']}")
    sys.exit(1 if _counts["failed"] else 0)
