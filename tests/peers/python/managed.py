"""What a client sees of another language's application, and does to it."""

import datetime
import time

from peer import equal, raised, until


def steps(peer):
    handle = peer.enqueue("ship", 1, "ann")
    peer.send(handle.workflow_id, "by train")
    peer.result(handle)
    steps = peer.client.list_workflow_steps(handle.workflow_id)
    names = {step["function_id"]: step["function_name"] for step in steps}
    equal(names, {1: "DBOS.writeStream", 2: "DBOS.setEvent", 3: "DBOS.recv", 4: "DBOS.sleep", 5: "DBOS.writeStream"})
    equal({step["function_id"]: step["output"] for step in steps}[3], "by train")
    assert all(step["started_at_epoch_ms"] <= step["completed_at_epoch_ms"] for step in steps), steps
    equal(len(peer.client.list_workflow_steps(handle.workflow_id, limit=2, offset=1)), 2)


def steps_of_a_function(peer):
    handle = peer.enqueue("draw_three")
    drawn = peer.result(handle)
    steps = peer.client.list_workflow_steps(handle.workflow_id)
    equal([(step["function_name"], step["output"]) for step in steps], [("draw", value) for value in drawn])


def a_row(peer):
    handle = peer.enqueue("echo", {"a": 1}, workflow_id="python-row", priority=5)
    peer.result(handle)
    row = handle.get_status()
    equal((row.status, row.name, row.queue_name, row.priority), ("SUCCESS", "echo", "letters", 5))
    equal((row.input["args"], row.output, row.error), (({"a": 1},), {"a": 1}, None))
    equal((row.application_name, row.class_name, row.config_name), ("neighbour", None, None))
    assert row.app_version and row.executor_id, "it ran somewhere"
    assert row.created_at <= row.dequeued_at <= row.completed_at <= row.updated_at + 1, vars(row)


def list_filters(peer):
    before = datetime.datetime.now(datetime.timezone.utc).isoformat()
    ids = [f"python-list-{number}" for number in range(4)]
    for number, workflow in enumerate(ids):
        options = {"authenticated_user": f"user-{number % 2}", "attributes": {"n": number}}
        peer.enqueue("echo", number, workflow_id=workflow, **options)
    refused = peer.enqueue("refuse", 2000, workflow_id="python-list-refused")
    for workflow in ids:
        peer.result(workflow)
    raised(lambda: peer.result(refused))
    after = datetime.datetime.now(datetime.timezone.utc).isoformat()

    def listed(**filters):
        return [row.workflow_id for row in peer.client.list_workflows(workflow_id_prefix="python-list-", **filters)]

    everything = [*ids, refused.workflow_id]
    equal(listed(), everything)
    equal(listed(sort_desc=True), everything[::-1])
    equal(listed(limit=2, offset=1), ids[1:3])
    equal(listed(status="ERROR"), [refused.workflow_id])
    equal(listed(status=["SUCCESS", "ERROR"]), everything)
    equal(listed(name="refuse"), [refused.workflow_id])
    equal(listed(user="user-1"), ids[1::2])
    equal(listed(attributes={"n": 2}), [ids[2]])
    equal(listed(queue_name="letters"), everything)
    equal(listed(queue_name="single"), [])
    equal(listed(application_name="neighbour"), everything)
    equal(listed(application_name="another"), [])
    equal(listed(start_time=before, end_time=after), everything)
    equal(listed(start_time=after), [])
    equal(listed(completed_after=before, completed_before=after), everything)
    equal(listed(dequeued_after=after), [])
    equal(listed(has_parent=True), [])
    equal(listed(is_fork=True), [])
    version = peer.status(ids[0]).app_version
    equal(listed(app_version=version), everything)
    equal(listed(executor_id=peer.status(ids[0]).executor_id), everything)
    equal(peer.client.list_workflows(workflow_ids=ids[:2], load_input=False, load_output=False)[0].output, None)


def queued_workflows(peer):
    peer.client.register_queue("closed", application_name="nobody")
    handles = [peer.enqueue("echo", number, queue="closed") for number in range(2)]
    queued = peer.client.list_queued_workflows(queue_name="closed")
    equal([row.workflow_id for row in queued], [handle.workflow_id for handle in handles])


def cancel_and_resume(peer):
    handle = peer.enqueue("ship", 1, "ann", workflow_id="python-cancel")
    peer.client.get_event(handle.workflow_id, "stage", 30)
    peer.client.cancel_workflow(handle.workflow_id)
    equal(type(raised(lambda: peer.result(handle))).__name__, "DBOSAwaitedWorkflowCancelledError")
    peer.client.resume_workflow(handle.workflow_id)
    peer.send(handle.workflow_id, "by train")
    equal(peer.result(handle), '1 to ann, "by train"')
    # What it had done before was not done again.
    equal(list(peer.client.read_stream(handle.workflow_id, "news")), ["packed", "on its way"])


def cancel_what_waits(peer):
    handles = [peer.enqueue("echo", 1, delay_seconds=600) for _ in range(2)]
    peer.client.cancel_workflows([handle.workflow_id for handle in handles])
    equal([handle.get_status().status for handle in handles], ["CANCELLED"] * 2)
    peer.client.resume_workflows([handle.workflow_id for handle in handles], queue_name="single")
    equal([peer.result(handle) for handle in handles], [1, 1])


def cancel_with_children(peer):
    parent = peer.enqueue("delegate", "rest", "letters", [600])
    child = f"{parent.workflow_id}-1"
    until(lambda: peer.client.list_workflows(workflow_ids=[child]))
    peer.client.cancel_workflow(parent.workflow_id, cancel_children=True)
    equal([peer.status(parent.workflow_id).status, peer.status(child).status], ["CANCELLED"] * 2)


def fork(peer):
    original = peer.enqueue("draw_three")
    first = peer.result(original)
    for start, kept in [(1, 0), (2, 1), (3, 2), (4, 3)]:
        forked = peer.client.fork_workflow(original.workflow_id, start)
        drawn = peer.result(forked)
        equal([now == then for now, then in zip(drawn, first)], [True] * kept + [False] * (3 - kept))
        equal(peer.status(forked.workflow_id).forked_from, original.workflow_id)
    equal(original.get_status().was_forked_from, True)
    forked = peer.client.fork_workflow(
        original.workflow_id, 2, queue_name="single", application_version=original.get_status().app_version)
    equal(peer.result(forked)[0], first[0])


def rewind(peer):
    handle = peer.enqueue("draw_three")
    first = peer.result(handle)
    peer.client.rewind_workflow(handle.workflow_id, start_step=3)
    second = peer.result(handle)
    equal((second[:2], second[2] == first[2]), (first[:2], False))
    peer.client.rewind_workflow(handle.workflow_id)
    third = peer.result(handle)
    assert not set(third) & set(first), "it began from its start"


def rewind_a_talk(peer):
    handle = peer.enqueue("ship", 9, "ann")
    peer.send(handle.workflow_id, "by train")
    peer.result(handle)
    peer.client.rewind_workflow(handle.workflow_id, start_step=2)
    # This client forgets the messages that were received after that step, and keeps what was written into streams.
    peer.send(handle.workflow_id, "by air")
    equal(peer.result(handle), '9 to ann, "by air"')
    equal(list(peer.client.read_stream(handle.workflow_id, "news")), ["packed", "on its way", "on its way"])


def wait_first(peer):
    slow, fast = peer.enqueue("rest", 600), peer.enqueue("rest", 0)
    equal(peer.client.wait_first([slow, fast], polling_interval_sec=0.1).workflow_id, fast.workflow_id)
    peer.client.cancel_workflow(slow.workflow_id)


def versions(peer):
    version = peer.client.get_latest_application_version()
    equal(version["application_name"], "neighbour")
    equal(peer.result(peer.enqueue("echo", 1, app_version=version["version_name"])), 1)
    elsewhere = peer.enqueue("echo", 1, app_version="another")
    time.sleep(1)
    equal(elsewhere.get_status().status, "ENQUEUED")
    peer.client.set_latest_application_version(version["version_name"], application_name="neighbour")
    equal(version["version_name"] in [known["version_name"] for known in peer.client.list_application_versions()], True)
    peer.client.cancel_workflow(elsewhere.workflow_id)


def delete(peer):
    handle = peer.enqueue("ship", 1, "ann")
    peer.send(handle.workflow_id, "by train")
    peer.result(handle)
    peer.client.delete_workflow(handle.workflow_id)
    equal(peer.client.list_workflows(workflow_ids=[handle.workflow_id]), [])
    equal(peer.client.list_workflow_steps(handle.workflow_id), [])
