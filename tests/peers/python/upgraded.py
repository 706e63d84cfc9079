"""What the default client finds of workflows that are older than their tables: `upgraded.py URL`."""

import sys

from peer import Peer, equal, run


def what_had_ended(peer):
    equal(peer.result("ended"), "as it was")
    equal(peer.status("ended").input["args"], (1,))
    steps = peer.client.list_workflow_steps("ended")
    equal([(step["function_name"], step["output"]) for step in steps], [("look", "at it")])


def what_was_waiting(peer):
    equal(peer.result("waiting"), 7)
    listed = {row.workflow_id for row in peer.client.list_workflows()}
    assert {"ended", "waiting"} <= listed, listed


def what_comes_new(peer):
    equal(peer.result(peer.enqueue("echo", "new")), "new")


run([what_had_ended, what_was_waiting, what_comes_new], Peer(sys.argv[1]))
