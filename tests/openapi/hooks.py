"""What is changed about requests before they are sent."""

import schemathesis

NOWHERE = "http://localhost:9/"
ADDRESSES = ("webhook", "success_url", "cancel_url")


@schemathesis.hook
def map_body(context, body):
    return _whole(_at_home(body))


def _at_home(body):
    """What is made up stays on this computer: a session tells nobody else's server how it ended."""
    if isinstance(body, dict):
        for name in ADDRESSES:
            address = body.get(name)
            if isinstance(address, str) and address.startswith("http://"):
                body[name] = NOWHERE
    return body


def _whole(value):
    """JSON Schema counts 404.0 among the whole numbers, and cannot leave it out. A whole number has one spelling here."""
    if isinstance(value, dict):
        return {name: _whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
