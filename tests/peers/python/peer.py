"""What the scripts of this folder stand on: a client of our application, and who runs the checks."""

import logging
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOSClient, WorkflowSerializationFormat

PORTABLE = WorkflowSerializationFormat.PORTABLE


class Peer:
    """The default client of the library, and the options that it needs for another language."""

    def __init__(self, url):
        self.url = url
        self.client = DBOSClient(system_database_url=url, system_database_pool_size=20)

    def enqueue(self, name, *arguments, queue="letters", **options):
        options = {"workflow_name": name, "queue_name": queue, "serialization_type": PORTABLE, **options}
        return self.client.enqueue(options, *arguments)

    def result(self, handle):
        if isinstance(handle, str):
            handle = self.client.retrieve_workflow(handle)
        return handle.get_result(polling_interval_sec=0.1)

    def status(self, workflow):
        return self.client.retrieve_workflow(workflow).get_status()

    def until(self, workflow, status):
        """Waits until a workflow has this status."""
        until(lambda: self.status(workflow).status == status)

    def send(self, workflow, message, topic="label", **options):
        self.client.send(workflow, message, topic, serialization_type=PORTABLE, **options)


def until(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.05)


def raised(operation):
    """What an operation raises that has to fail."""
    try:
        given = operation()
    except Exception as error:
        return error
    raise AssertionError(f"it gives {given!r} instead of failing")


def equal(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def run(checks, *arguments):
    """Runs the checks side by side, says what passed, and ends with 1 if one did not."""
    logging.getLogger("dbos").setLevel(logging.ERROR)
    with ThreadPoolExecutor(6) as pool:
        outcomes = [(check, pool.submit(check, *arguments)) for check in checks]
    failures = 0
    for check, outcome in outcomes:
        name = f"{check.__module__}: {check.__name__.replace('_', ' ')}"
        if outcome.exception() is None:
            print("ok    ", name)
            continue
        failures += 1
        print("FAILED", name)
        traceback.print_exception(outcome.exception(), file=sys.stdout)
    sys.exit(1 if failures else 0)


def checks_of(*modules):
    """The functions of the modules themselves, in their order."""
    for module in modules:
        for thing in vars(module).values():
            is_its_own = callable(thing) and getattr(thing, "__module__", None) == module.__name__
            if is_its_own and not thing.__name__.startswith("_"):
                yield thing
