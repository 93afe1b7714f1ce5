"""FastAPI: an event and a session for each request, and nobody waits for SQS.

    LONGSHORE__QUEUE__URL=https://sqs.eu-west-1.amazonaws.com/123456789012/portal uvicorn fastapi_app:app
"""

import asyncio
from contextlib import asynccontextmanager
from typing import Any, Dict, List

import longshore_producer
from fastapi import FastAPI, HTTPException, Request
from longshore_producer import BadMessage, log_user_event, store_session_data


@asynccontextmanager
async def lifespan(app: FastAPI):
    # A queue that is set wrong ends the start here, not the first request. Each process of uvicorn has a producer of its own.
    longshore_producer.configure()
    yield
    # uvicorn ends by the signal that it got, and then Python runs no atexit: without this, what waits at the end is lost. It takes
    # until all is sent, 10 s at most. In a thread: what blocks holds up everything else of this process.
    if not await asyncio.to_thread(longshore_producer.close, 10):
        print("messages were not sent:", longshore_producer.counts())


app = FastAPI(lifespan=lifespan)


@app.post("/login/{user_id}")
async def login(user_id: int, request: Request) -> Dict[str, Any]:
    # Good in `async def`: the call puts the message into memory and returns. That holds for when_full="drop", the default, and
    # "raise". With "block" a call may wait for seconds: use `def`, or asyncio.to_thread.
    log_user_event(user_id, "login", {"ip": request.client.host})
    return {"user_id": user_id}


@app.put("/cart/{session_id}")
def cart(session_id: str, items: List[Dict[str, Any]]) -> Dict[str, Any]:
    # FastAPI runs `def` in a thread. Right for large data too: encoding a megabyte takes milliseconds.
    try:
        store_session_data(session_id, {"cart": items})
    except BadMessage as error:
        # What the worker would reject, such as a name that begins with `$`, the caller has to fix.
        raise HTTPException(422, str(error)) from None
    return {"items": len(items)}
