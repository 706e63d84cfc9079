"""Messages, events and streams between a client and the workflows of another language's application."""

import json

from dbos import DBOSClient, PortableWorkflowError, SendMessage

from peer import PORTABLE, equal, raised


def a_message_with_a_topic(peer):
    handle = peer.enqueue("ship", 1, "ann")
    peer.send(handle.workflow_id, "not this one", topic="elsewhere")
    peer.send(handle.workflow_id, "by train")
    equal(peer.result(handle), '1 to ann, "by train"')


def a_message_of_every_kind(peer):
    for message in [None, 1.5, [1, {"a": None}], {"k": "v"}, "🦀"]:
        handle = peer.enqueue("ship", 2, "bob")
        peer.send(handle.workflow_id, message)
        equal(json.loads(peer.result(handle).removeprefix("2 to bob, ")), message)


def a_key_sends_once(peer):
    handle = peer.enqueue("hear", 2)
    for _ in range(3):
        peer.send(handle.workflow_id, "once", topic="word", idempotency_key="k-1")
    peer.send(handle.workflow_id, "twice", topic="word", idempotency_key="k-2")
    equal(peer.result(handle), ["once", "twice"])


def many_messages_at_once(peer):
    handle = peer.enqueue("hear", 3)
    messages = [SendMessage(handle.workflow_id, number, "word") for number in range(3)]
    peer.client.send_bulk(messages, serialization_type=PORTABLE)
    # They have one instant.
    equal(sorted(peer.result(handle)), [0, 1, 2])


def a_message_to_nobody(peer):
    error = raised(lambda: peer.send("nobody", "hello"))
    equal(type(error).__name__, "DBOSNonExistentWorkflowError")


def a_message_in_a_foreign_format(peer):
    handle = peer.enqueue("ship", 3, "ann")
    peer.client.send(handle.workflow_id, "by train", "label")
    error = raised(lambda: peer.result(handle))
    assert isinstance(error, PortableWorkflowError) and "cannot be read" in str(error), repr(error)


def events(peer):
    handle = peer.enqueue("ship", 4, "ann")
    equal(peer.client.get_event(handle.workflow_id, "stage", 30), {"packed": 4})
    equal(peer.client.get_event(handle.workflow_id, "another", 0.1), None)
    equal(peer.client.get_event("nobody", "stage", 0.1), None)
    peer.send(handle.workflow_id, "by train")


def events_without_polling(peer):
    listening = DBOSClient(system_database_url=peer.url, use_listen_notify=True)
    try:
        handle = peer.enqueue("ship", 5, "ann", delay_seconds=1)
        # It would look again after a minute.
        equal(listening.get_event(handle.workflow_id, "stage", 20), {"packed": 5})
        peer.send(handle.workflow_id, "by train")
        equal(list(listening.read_stream(handle.workflow_id, "news")), ["packed", "on its way"])
    finally:
        listening.destroy()


def streams(peer):
    handle = peer.enqueue("ship", 6, "ann")
    news = peer.client.read_stream(handle.workflow_id, "news", polling_interval_sec=0.1)
    equal(next(news), "packed")
    peer.send(handle.workflow_id, "by train")
    equal(list(news), ["on its way"])
    equal(peer.client.read_stream_offset(handle.workflow_id, "news", 1), "on its way")


def a_stream_that_is_closed(peer):
    value = {"a": [None, 1.5]}
    handle = peer.enqueue("echo", value)
    equal(list(peer.client.read_stream(handle.workflow_id, "news", polling_interval_sec=0.1)), [value])
