"""json_peer.py -- our JSON against Python's: what is accepted, what it means, what we write.

Run by ctest with the path of wire_probe. Generates texts from a fixed seed, damages most of
them, and compares verdicts and values; what was accepted goes through MessagePack and back and
must mean the same to Python.

SPDX-License-Identifier: MIT
"""
import base64
import json
import random
import re
import subprocess
import sys

SEED = 20240
TEXTS = 30000
LOW, HIGH = -(2**63), 2**64 - 1


def refuse(word):
    raise ValueError(word)


class Pairs(list):
    """A dict as its entries, so that order and duplicates stay."""


def parse(octets):
    """What Python makes of a text; ValueError when it refuses."""
    return json.loads(octets.decode("utf-8"), object_pairs_hook=Pairs, parse_constant=refuse)


def without_lone_surrogates(text):
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def binary_of(text):
    """The octets behind a string that begins with U+0000, or None."""
    body = text[1:]
    bare = body.rstrip("=")
    pad = len(body) - len(bare)
    if pad and (len(body) % 4 or pad > 2):
        return None
    try:
        octets = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        return None
    # Bits left over must be zero: only what encodes back to the same is base64.
    return octets if base64.b64encode(octets).decode().rstrip("=") == bare else None


def show_text(text):
    out = []
    for char in without_lone_surrogates(text):
        out.append("\\x%02x" % ord(char) if ord(char) < 0x20 or char in '"\\' else char)
    return '"' + "".join(out) + '"'


def show(value):
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if LOW <= value <= HIGH else "big:%d" % value
    if isinstance(value, float):
        return "f:%.17g" % value
    if isinstance(value, str):
        octets = binary_of(value) if value.startswith("\0") else None
        return show_text(value) if octets is None else "h'%s'" % octets.hex()
    if isinstance(value, Pairs):
        return "{" + " ".join(show_text(k) + " " + show(v) for k, v in value) + "}"
    return "[" + " ".join(show(v) for v in value) + "]"


def after_msgpack(value):
    """What is left after MessagePack: big integers and out-of-range floats change."""
    if isinstance(value, int) and not isinstance(value, bool) and not LOW <= value <= HIGH:
        value = float(value)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    if isinstance(value, Pairs):
        return Pairs((k, after_msgpack(v)) for k, v in value)
    if isinstance(value, list):
        return [after_msgpack(v) for v in value]
    return value


def random_text(rng):
    pieces = ["a", "Zz", "\"", "\\", "/", "\n", "\x00", "\u00e9", "\u20ac", "\U0001f600", "\x7f",
              "\ud800", "\udc00", "0123456789abcdef", "\u2028"]
    return "".join(rng.choice(pieces) for _ in range(rng.randrange(12)))


def random_value(rng, depth=0):
    kind = rng.randrange(6 if depth > 4 else 9)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.randrange(-(2**rng.randrange(1, 70)), 2**rng.randrange(1, 70))
    if kind == 2:
        return rng.choice([rng.uniform(-10, 10), rng.random() * 10.0**rng.randrange(-300, 300),
                           float(rng.randrange(1000)), round(rng.uniform(0, 1000), 2)])
    if kind == 3:
        return "\0" + base64.b64encode(rng.randbytes(rng.randrange(20))).decode()
    if kind in (4, 5):
        return random_text(rng)
    items = [random_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return items if kind == 6 else {random_text(rng): item for item in items}


def random_json(rng):
    text = json.dumps(random_value(rng), ensure_ascii=rng.random() < 0.5,
                      indent=rng.choice([None, None, 1]))
    octets = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        at = rng.randrange(len(octets))
        change = rng.randrange(3)
        if change == 0:
            octets[at] = rng.choice(b'0123456789-+.eE"\\[]{}:,tfn u\x00\x1f\x80\xff' + octets)
        elif change == 1 and len(octets) > 1:
            del octets[at]
        else:
            octets.insert(at, rng.choice(b'0123456789-+.eE"\\[]{}:,tfn u'))
    return bytes(octets)


def check(octets, line, counts):
    shown, _, back = line.partition("\t")
    try:
        value = parse(octets)
        expected = show(value)
    except (ValueError, RecursionError):
        expected = "!"
    counts["refused" if expected == "!" else "accepted"] += 1
    if (shown[:1] == "!") != (expected == "!") or (expected != "!" and shown != expected):
        return "%r: found %s, expected %s" % (octets, shown, expected)
    if expected != "!" and show(parse(back.encode())) != show(after_msgpack(value)):
        return "%r came back as %s" % (octets, back)
    return None


def main():
    rng = random.Random(SEED)
    texts = [random_json(rng) for _ in range(TEXTS)]
    lines = "".join("json %s\n" % octets.hex() for octets in texts)
    done = subprocess.run(sys.argv[1:2], input=lines.encode(), capture_output=True, check=True,
                          timeout=100)
    answers = done.stdout.decode().split("\n")
    counts = {"accepted": 0, "refused": 0}
    wrong = [w for w in map(lambda t, a: check(t, a, counts), texts, answers) if w]
    for words in wrong[:10]:
        print(words)
    print("%d accepted, %d refused, %d differ" % (counts["accepted"], counts["refused"],
                                                  len(wrong)))
    return 1 if wrong or min(counts.values()) < TEXTS // 10 else 0


if __name__ == "__main__":
    sys.exit(main())
