"""What the command line of DBOS for Python does with an application in Rust: `command_line.py URL`."""

import json
import pathlib
import subprocess
import sys

from peer import Peer, checks_of, equal, run

_DBOS = str(pathlib.Path(sys.executable).with_name("dbos"))


def _dbos(peer, *arguments):
    done = subprocess.run([_DBOS, "workflow", *arguments, "-s", peer.url], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    start = min((at for at in (done.stdout.find("["), done.stdout.find("{")) if at >= 0), default=None)
    return None if start is None else json.JSONDecoder().raw_decode(done.stdout[start:])[0]


def looks(peer):
    handle = peer.enqueue("ship", 1, "ann", workflow_id="looked-at")
    peer.send(handle.workflow_id, "by train")
    peer.result(handle)
    found = next(row for row in _dbos(peer, "list", "-l", "100") if row["workflow_id"] == "looked-at")
    equal((found["status"], found["name"], found["application_name"]), ("SUCCESS", "ship", "neighbour"))
    equal(_dbos(peer, "get", "looked-at")["output"], '1 to ann, "by train"')
    names = [step["function_name"] for step in _dbos(peer, "steps", "looked-at")]
    equal(sorted(names), ["DBOS.recv", "DBOS.setEvent", "DBOS.sleep", "DBOS.writeStream", "DBOS.writeStream"])


def cancels_and_resumes(peer):
    handle = peer.enqueue("ship", 2, "ann", workflow_id="stopped")
    peer.client.get_event(handle.workflow_id, "stage", 30)
    _dbos(peer, "cancel", "stopped")
    equal(handle.get_status().status, "CANCELLED")
    _dbos(peer, "resume", "stopped")
    peer.send(handle.workflow_id, "by train")
    equal(peer.result(handle), '2 to ann, "by train"')


def forks(peer):
    original = peer.enqueue("draw_three")
    first = peer.result(original)
    _dbos(peer, "fork", original.workflow_id, "-S", "3", "-f", "branch")
    drawn = peer.result("branch")
    equal((drawn[:2], drawn[2] == first[2]), (first[:2], False))


def lists_a_queue(peer):
    peer.client.register_queue("closed", application_name="nobody")
    handle = peer.enqueue("echo", 1, queue="closed")
    found = _dbos(peer, "queue", "list", "--queue-name", "closed")
    equal([(row["workflow_id"], row["status"]) for row in found], [(handle.workflow_id, "ENQUEUED")])


run(checks_of(sys.modules[__name__]), Peer(sys.argv[1]))
