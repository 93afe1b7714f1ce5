"""Celery: what tasks log is in the queue before their worker ends.

    LONGSHORE__QUEUE__URL=https://sqs.eu-west-1.amazonaws.com/123456789012/portal celery -A celery_tasks worker
"""

from datetime import datetime
from typing import Any

import longshore_producer
from celery import Celery, Task
from celery.signals import worker_process_shutdown
from longshore_producer import log_user_event

app = Celery("portal")


@worker_process_shutdown.connect
def _close(**_: Any) -> None:
    # The processes of Celery's pool end by os._exit, which runs no atexit: without this, what waits at the end is lost. Under
    # --max-tasks-per-child Celery 5.7 may kill processes while their worker ends: only order_paid's way is safe from that.
    longshore_producer.close(10)


@app.task
def page_seen(user_id: int, page: str) -> None:
    """For what may be lost if the machine dies: the call returns at once, and up to ten messages share a request."""
    log_user_event(user_id, "page_seen", {"page": page})


@app.task(bind=True, acks_late=True, reject_on_worker_lost=True, max_retries=10, default_retry_delay=30)
def order_paid(self: Task, user_id: int, number: str, paid: str) -> None:
    """For what may not: Celery forgets the task only after SQS has the message.

    A task may run twice, and its event must be the same then: so `id` and `timestamp` come from the caller, who passes
    `paid=datetime.now(timezone.utc).isoformat()`. Another time under the same id would be a dead letter (id_conflict).
    """
    lost = longshore_producer.counts().lost
    log_user_event(user_id, "order_paid", {"number": number}, id=f"paid-{number}", timestamp=datetime.fromisoformat(paid))
    # flush() says whether each message has its end in time, counts() which end that was.
    if not longshore_producer.flush(10) or longshore_producer.counts().lost > lost:
        raise self.retry()
