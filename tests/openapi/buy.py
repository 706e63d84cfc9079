"""Buys a widget with a client that was made from the shop's document: buy.py CLIENTS URL."""

import sys

sys.path.insert(0, sys.argv[1])

from widget_store import Client
from widget_store.api.routes import checkout, order, payment_webhook, product
from widget_store.models import HttpError, Order, PaymentStatus, Product

KEY = "bought-by-a-client-in-python"


def mistakes(client: Client) -> None:
    """Never called: mypy must see each of these, and complains if it does not."""
    order.sync("one", client=client)  # type: ignore[arg-type]
    payment_webhook.sync(KEY, "lost", client=client)  # type: ignore[arg-type]


with Client(base_url=sys.argv[2]) as client:
    before = product.sync(client=client)
    assert isinstance(before, Product), before

    payment = checkout.sync(KEY, client=client)
    assert payment == KEY, payment
    number = payment_webhook.sync(payment, PaymentStatus.PAID, client=client)
    assert isinstance(number, int), number

    bought = order.sync(number, client=client)
    assert isinstance(bought, Order) and bought.order_id == number, bought
    after = product.sync(client=client)
    assert isinstance(after, Product) and after.inventory == before.inventory - 1, after

    # The same again is the same order.
    assert payment_webhook.sync(payment, PaymentStatus.PAID, client=client) == number
    refused = payment_webhook.sync(payment, PaymentStatus.FAILED, client=client)
    assert isinstance(refused, HttpError) and refused.status == 409, refused
    unknown = order.sync(2_000_000_000, client=client)
    assert isinstance(unknown, HttpError) and unknown.status == 404, unknown

print(f"a client in Python, checked by mypy, bought a widget: order {number}")
