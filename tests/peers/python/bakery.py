import os
import threading

from dbos import DBOS, WorkflowSerializationFormat

PORTABLE = WorkflowSerializationFormat.PORTABLE
DBOS(config={"name": "bakery", "system_database_url": os.environ["DBOS_SYSTEM_DATABASE_URL"]})


@DBOS.workflow(serialization_type=PORTABLE)
def bake(loaves):
    grind = {"workflow_name": "grind", "queue_name": "mill", "application_name": "mill", "serialization_type": PORTABLE}
    flour = DBOS.enqueue_workflow_with_options(grind, loaves * 0.5)
    return f"{loaves} loaves of {flour.get_result()}"


DBOS.launch()
DBOS.register_queue("bakery")
print("the bakery is open", flush=True)
threading.Event().wait()
