"""An application in Python for programs of other languages: `app.py URL NAME`. It says `ready` when it serves.

It is what `neighbour` is in Rust, in `tests/src/bin/neighbour.rs`.
"""

import logging
import sys
import threading
import uuid

from dbos import DBOS, WorkflowSerializationFormat

PORTABLE = WorkflowSerializationFormat.PORTABLE

url, name = sys.argv[1:]
DBOS(config={
    "name": name,
    "system_database_url": url,
    "application_version": f"{name}-1",
    "executor_id": name,
    "log_level": "WARNING",
    "notification_listener_polling_interval_sec": 0.1,
})


@DBOS.workflow(serialization_type=PORTABLE)
def echo(value):
    DBOS.set_event("stage", value)
    DBOS.write_stream("news", value)
    DBOS.close_stream("news")
    return value


@DBOS.workflow(serialization_type=PORTABLE)
def ship(order, to):
    DBOS.set_event("stage", {"packed": order})
    label = DBOS.recv("label", 60)
    return f"{order} to {to}, {label}"


@DBOS.workflow(serialization_type=PORTABLE)
def refuse(order):
    raise ValueError(f"nobody can carry order {order}")


@DBOS.step()
def note(word):
    return word


@DBOS.workflow(serialization_type=PORTABLE)
def work(number):
    """A step before and one after, so that a kill may come between."""
    note("begun")
    note("done")
    return number


@DBOS.step()
def draw(name):
    return f"{name}: {uuid.uuid4()}"


@DBOS.workflow(serialization_type=PORTABLE)
def draw_three():
    """Three values that no other run would draw."""
    return [draw("first"), draw("second"), draw("third")]


@DBOS.workflow(serialization_type=PORTABLE)
def rest(seconds):
    DBOS.sleep(seconds)


@DBOS.workflow(serialization_type=PORTABLE)
def delegate(workflow, application, queue, arguments):
    """Has the work done by a child in another application."""
    options = {"workflow_name": workflow, "queue_name": queue, "application_name": application}
    child = DBOS.enqueue_workflow_with_options({**options, "serialization_type": PORTABLE}, *arguments)
    stage = DBOS.get_event(child.workflow_id, "stage", 60)
    DBOS.send(child.workflow_id, "by train", "label", serialization_type=PORTABLE)
    return {"stage": stage, "result": child.get_result()}


logging.getLogger("dbos").setLevel(logging.ERROR)
DBOS.launch()
DBOS.register_queue(f"{name}-letters", polling_interval_sec=0.1, worker_concurrency=20)
print("ready", flush=True)
threading.Event().wait()
