"""Values between Python and Rust: each arrives equal, or is refused with an error that says why: `values.py URL`.

`../values.json` lists those that are JSON, as text. Beside them stand those that only Python has.
"""

import datetime
import decimal
import json
import pathlib
import sys
import uuid

from peer import Peer, checks_of, equal, run

_TEXTS = json.loads(pathlib.Path(__file__).parent.with_name("values.json").read_text())

# With a word of the reason; everything else is equal. The first is infinite in Python, the last no text in UTF-8.
_REFUSED = {
    "1e400": "expected value",
    "18446744073709551617": "has no exact form",
    '"\\u0000"': "NUL character",
    '"\\ud800"': "surrogates not allowed",
}
# Refused by streams alone.
_END = {'"__DBOS_STREAM_CLOSED__"': "marks the end of a stream"}


def _nested(depth):
    return [] if depth == 1 else [_nested(depth - 1)]


_MOMENT = datetime.datetime(2025, 6, 15, 14, 30, tzinfo=datetime.timezone.utc)

_PYTHONS_OWN = {
    "a date with a time": (_MOMENT, "2025-06-15T14:30:00.000Z"),
    "a date": (datetime.date(2025, 6, 15), "2025-06-15"),
    "a decimal": (decimal.Decimal("12.50"), "12.50"),
    "a tuple": ((1, (2, 3)), [1, [2, 3]]),
    "a set": ({7}, [7]),
    "a megabyte of text": ("x" * 1_000_000, "x" * 1_000_000),
    "a hundred thousand numbers": (list(range(100_000)), list(range(100_000))),
    "a hundred lists in each other": (_nested(100), _nested(100)),
}

_NOT_PORTABLE = {
    "bytes": (b"\x00\xff", "not portable"),
    "a uuid": (uuid.UUID(int=7), "not portable"),
    "a key that is a number": ({1: 2}, "non-string keys"),
    "a complex number": (1j, "not portable"),
    "NaN": (float("nan"), "cannot be read"),
    "infinity": (float("inf"), "cannot be read"),
    "three hundred lists in each other": (_nested(300), "recursion limit"),
    "more than 16 MB": ("x" * (17 << 20), "16777216 is the most"),
}


def _echoed(peer, value):
    """What comes back as the result, as an event and through a stream; or why it does not."""
    try:
        handle = peer.enqueue("echo", value)
        result = peer.result(handle)
    except Exception as error:
        return None, str(error)
    event = peer.client.get_event(handle.workflow_id, "stage", 5)
    streamed = next(peer.client.read_stream(handle.workflow_id, "news"))
    assert _same(event, result) and _same(streamed, result), f"{event!r}, {streamed!r}, {result!r}"
    return result, None


def _text(value):
    return json.dumps(value, sort_keys=True)


def _same(one, other):
    # To Python 1 and True are equal, too. A whole number beyond 64 bits comes as the float that it equals.
    are_numbers = {type(one), type(other)} == {int, float} and abs(other) >= 1 << 64
    return _text(one) == _text(other) or (are_numbers and one == other)


def json_there_and_back(peer):
    for text in _TEXTS:
        value = json.loads(text)
        back, refusal = _echoed(peer, value)
        if reason := {**_REFUSED, **_END}.get(text):
            assert refusal is not None and reason in refusal, f"{text}: {back!r}, {refusal}"
        else:
            assert refusal is None and _same(back, value), f"{text}: {back!r}, {refusal}"


def json_to_rust(peer):
    for text in _TEXTS:
        if text not in _REFUSED:
            equal((text, peer.result(peer.enqueue("weigh", text, json.loads(text)))), (text, True))


def json_from_rust(peer):
    for text in _TEXTS:
        if text not in _REFUSED:
            value = peer.result(peer.enqueue("parse", text))
            assert _same(value, json.loads(text)), f"{text}: {value!r}"


def messages(peer):
    texts = [text for text in _TEXTS if text not in _REFUSED and text != "18446744073709551616"]
    handle = peer.enqueue("hear", len(texts))
    for text in texts:
        peer.send(handle.workflow_id, json.loads(text), "word")
    # Those that were sent within a millisecond may be heard in another order.
    equal(sorted(map(_text, peer.result(handle))), sorted(_text(json.loads(text)) for text in texts))


def what_is_pythons_own(peer):
    for name, (value, expected) in _PYTHONS_OWN.items():
        back, refusal = _echoed(peer, value)
        assert refusal is None and _same(back, expected), f"{name}: {refusal}"


def what_is_not_portable(peer):
    for name, (value, reason) in _NOT_PORTABLE.items():
        back, refusal = _echoed(peer, value)
        assert refusal is not None and reason in refusal, f"{name}: {back!r}, {refusal}"


run(checks_of(sys.modules[__name__]), Peer(sys.argv[1]))
