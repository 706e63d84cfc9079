"""What a client puts into the queues of another language's application."""

import uuid

import sqlalchemy
from dbos import DebouncerClient, PortableWorkflowError

from peer import PORTABLE, equal, raised


def results_of_every_kind(peer):
    texts, lists, objects = ["", "text", "ünï 🦀"], [[], [1, "two", None, [3.5]]], [{}, {"a": {"b": [None]}}]
    for value in [None, True, 0, -7, 2.5, *texts, *lists, *objects]:
        equal(peer.result(peer.enqueue("echo", value)), value)


def arguments_by_name(peer):
    equal(peer.result(peer.client.enqueue(
        {"workflow_name": "echo", "queue_name": "letters", "serialization_type": PORTABLE}, value=7)), 7)


def errors(peer):
    handle = peer.enqueue("refuse", 2000)
    error = raised(lambda: peer.result(handle))
    assert isinstance(error, PortableWorkflowError), repr(error)
    equal((error.name, str(error)), ("Refusal", "nobody can carry order 2000"))
    equal(error.data, {"TooLarge": {"order": 2000, "most": 1000}})
    status = handle.get_status()
    equal((status.status, str(status.error)), ("ERROR", "nobody can carry order 2000"))


def wrong_arguments(peer):
    for arguments in [(), ("seven", "ann"), (1, "ann", 3)]:
        error = raised(lambda: peer.result(peer.enqueue("ship", *arguments)))
        assert "argument" in str(error), error


def arguments_in_a_foreign_format(peer):
    handle = peer.client.enqueue({"workflow_name": "echo", "queue_name": "letters"}, 7)
    error = raised(lambda: peer.result(handle))
    assert "the arguments of the workflow cannot be read back" in str(error), error
    equal(handle.get_status().status, "ERROR")


def workflow_ids(peer):
    handle = peer.enqueue("echo", 1, workflow_id="python-once")
    equal(peer.result(handle), 1)
    equal(peer.result(peer.enqueue("echo", 2, workflow_id="python-once")), 1)
    error = raised(lambda: peer.enqueue("echo", 2, workflow_id="python-once", workflow_id_reuse_policy="reject"))
    equal(type(error).__name__, "DBOSWorkflowIDInUseError")


def deduplication(peer):
    first = peer.enqueue("rest", 600, deduplication_id="bed")
    error = raised(lambda: peer.enqueue("rest", 600, deduplication_id="bed"))
    equal(type(error).__name__, "DBOSQueueDeduplicatedError")
    second = peer.enqueue("rest", 600, deduplication_id="bed", duplication_policy="return-existing")
    equal(second.workflow_id, first.workflow_id)
    peer.client.cancel_workflow(first.workflow_id)
    third = peer.enqueue("rest", 0, deduplication_id="bed")
    equal(peer.result(third), None)
    equal(peer.result(peer.enqueue("rest", 0, deduplication_id="bed")), None)


def delay(peer):
    handle = peer.enqueue("echo", "late", delay_seconds=600)
    equal(handle.get_status().status, "DELAYED")
    peer.client.set_workflow_delay(handle.workflow_id, delay_seconds=1)
    equal(peer.result(handle), "late")
    status = handle.get_status()
    assert status.dequeued_at >= status.delay_until_epoch_ms, "it left before its delay was over"


def timeouts(peer):
    handle = peer.enqueue("rest", 600, workflow_timeout=0.5)
    error = raised(lambda: peer.result(handle))
    equal(type(error).__name__, "DBOSAwaitedWorkflowCancelledError")
    status = handle.get_status()
    equal((status.status, status.workflow_timeout_ms), ("CANCELLED", 500))
    equal(status.workflow_deadline_epoch_ms, status.dequeued_at + 500)


def priority(peer):
    peer.client.register_queue("sorted", application_name="neighbour", global_concurrency=1)
    blocker = peer.enqueue("ship", 1, "ann", queue="sorted")
    peer.until(blocker.workflow_id, "PENDING")
    handles = [peer.enqueue("echo", number, queue="sorted", priority=number) for number in (3, 1, 2)]
    peer.send(blocker.workflow_id, "by train")
    equal([peer.result(handle) for handle in handles], [3, 1, 2])
    left = {handle.get_status().dequeued_at: handle.get_status().priority for handle in handles}
    equal([left[at] for at in sorted(left)], [1, 2, 3])


def debounce(peer):
    options = {"workflow_name": "echo", "queue_name": "letters", "serialization_type": PORTABLE}
    debouncer = DebouncerClient(peer.client, options, debounce_timeout_sec=60)
    handles = [debouncer.debounce("key", 3, number) for number in range(3)]
    equal(len({handle.workflow_id for handle in handles}), 1)
    equal(peer.result(handles[0]), 2)
    assert debouncer.debounce("key", 0.1, 9).workflow_id != handles[0].workflow_id


def a_queue_of_a_client(peer):
    name = f"made-{uuid.uuid4()}"
    waiting = peer.enqueue("echo", 5, queue=name)
    equal(waiting.get_status().status, "ENQUEUED")
    peer.client.register_queue(name, worker_concurrency=3, application_name="neighbour")
    equal(peer.result(waiting), 5)
    queue = peer.client.retrieve_queue(name)
    equal((queue.name, queue.worker_concurrency), (name, 3))
    assert {"letters", "single", name} <= {queue.name for queue in peer.client.list_queues()}
    equal(peer.client.retrieve_queue("single").global_concurrency, 1)
    peer.client.delete_queue(name)
    equal(peer.client.retrieve_queue(name), None)


def a_queue_with_partitions(peer):
    name = f"parts-{uuid.uuid4()}"
    peer.client.register_queue(name, partition_concurrency=1, application_name="neighbour")
    handles = [peer.enqueue("echo", part, queue=name, queue_partition_key=part) for part in ("a", "b", "a")]
    equal([peer.result(handle) for handle in handles], ["a", "b", "a"])
    equal(handles[1].get_status().queue_partition_key, "b")


def users_and_attributes(peer):
    caller = {"authenticated_user": "ann", "authenticated_roles": ["clerk"]}
    handle = peer.enqueue("echo", 1, attributes={"team": "north"}, **caller)
    peer.result(handle)
    status = handle.get_status()
    equal((status.authenticated_user, status.authenticated_roles), ("ann", ["clerk"]))
    equal(status.attributes, {"team": "north"})
    peer.client.update_workflow_attributes(handle.workflow_id, {"day": 7}, merge=True)
    equal(handle.get_status().attributes, {"team": "north", "day": 7})


def in_a_transaction(peer):
    engine = _engine(peer)
    options = {"workflow_name": "echo", "queue_name": "letters", "serialization_type": PORTABLE}
    with engine.connect() as connection:
        gone = peer.client.enqueue_in_transaction(connection, options, 1)
        connection.rollback()
        kept = peer.client.enqueue_in_transaction(connection, options, 2)
        connection.commit()
    equal(peer.result(kept), 2)
    equal(peer.client.list_workflows(workflow_ids=[gone.workflow_id]), [])


def by_the_functions_of_the_database(peer):
    engine = _engine(peer)
    with engine.begin() as connection:
        workflow = connection.execute(sqlalchemy.text(
            "SELECT dbos.enqueue_workflow('ship', 'letters', ARRAY['7'::json, '\"ann\"'::json])")).scalar()
    equal(peer.client.get_event(workflow, "stage", 30), {"packed": 7})
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(
            "SELECT dbos.send_message(:workflow, '\"by air\"'::json, 'label')"), {"workflow": workflow})
    equal(peer.result(workflow), '7 to ann, "by air"')


def _engine(peer):
    return sqlalchemy.create_engine(peer.url.replace("postgres://", "postgresql+psycopg://"))
