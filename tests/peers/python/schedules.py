"""Schedules between a client and another language's application.

A schedule has no tag that says in which format its context is, so only a client that speaks the portable format by
default can start ticks by hand. The default client lists, pauses, resumes and deletes.
"""

import datetime

from dbos import DBOSClient, DBOSPortableJSONSerializer

from peer import equal, until


def _portable(peer):
    serializer = DBOSPortableJSONSerializer()
    return DBOSClient(system_database_url=peer.url, serializer=serializer, application_name="neighbour")


def made_by_a_client(peer):
    client = _portable(peer)
    client.create_schedule(schedule_name="python-every-second", workflow_name="count", schedule="* * * * * *",
                           context={"who": "python"}, queue_name="letters")
    ticks = lambda: client.list_workflows(schedule_name="python-every-second", status="SUCCESS")
    until(ticks)
    equal(ticks()[0].output["context"], {"who": "python"})
    client.pause_schedule("python-every-second")
    equal(client.get_schedule("python-every-second")["status"], "PAUSED")
    client.resume_schedule("python-every-second")
    client.delete_schedule("python-every-second")
    equal(client.get_schedule("python-every-second"), None)


def trigger(peer):
    client = _portable(peer)
    client.create_schedule(schedule_name="python-by-hand", workflow_name="count", schedule="0 0 1 1 *", context=[7])
    handle = client.trigger_schedule("python-by-hand")
    equal(peer.result(client.retrieve_workflow(handle.workflow_id))["context"], [7])


def backfill(peer):
    client = _portable(peer)
    client.create_schedule(schedule_name="python-hourly", workflow_name="count", schedule="0 * * * *", context="late")
    start = datetime.datetime(2026, 1, 1, 0, 30, tzinfo=datetime.timezone.utc)
    handles = client.backfill_schedule("python-hourly", start, start + datetime.timedelta(hours=3))
    results = [peer.result(client.retrieve_workflow(handle.workflow_id)) for handle in handles]
    equal([result["at"] for result in results], [f"2026-01-01T0{hour}:00:00Z" for hour in (1, 2, 3)])
    equal({result["context"] for result in results}, {"late"})


def of_the_application(peer):
    schedule = peer.client.get_schedule("yearly")
    equal((schedule["workflow_name"], schedule["status"]), ("count", "ACTIVE"))
    assert "yearly" in [known["schedule_name"] for known in peer.client.list_schedules()]
    peer.client.pause_schedule("yearly")
    equal(peer.client.get_schedule("yearly")["status"], "PAUSED")
    peer.client.resume_schedule("yearly")
    handle = _portable(peer).trigger_schedule("yearly")
    equal(peer.result(handle.workflow_id)["context"], {"of": "rust"})
