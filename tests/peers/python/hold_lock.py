"""Does the background jobs of the application `neighbour` for as long as it lives: `hold_lock.py URL`."""

import sys
import threading

from dbos import DBOSClient

client = DBOSClient(system_database_url=sys.argv[1], application_name="neighbour")
with client._sys_db.background_job_lock("background_jobs") as is_held:
    print("held" if is_held else "not held", flush=True)
    threading.Event().wait(4)
