"""Draws the pictures of README, docs/seeing.md and docs/PROMISES.md anew: docs/status-page.png, what a window shows of the status page
while messages flow; docs/status-page-whole.png, all of it; docs/terminal.png, the end of `make demo`. Look at them afterwards.

Argument: the program. SECONDS is how long messages flow before the page is taken; the charts show fifteen minutes."""

import contextlib
import datetime
import html
import math
import os
import pty
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
sys.path.append(str(ROOT / "tests"))
from page import Worker, chromium, free_port

SECONDS = int(os.environ.get("SECONDS") or 920)
SETTLES_MS = 20_000
BATCH = 10
# Batches a second, and by how much that goes up and down within minutes.
PACE, SWING, PERIOD_S = 18, 8, 190

STYLE = "margin:0; padding:24px; background:#101519; color:#d7dde3; font:14px/1.45 'DejaVu Sans Mono', monospace; display:inline-block"


def message(number):
    """The traffic of a shop: now and then a release of the producer sends what no route takes."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    if number % 1_500 == 0:
        return f'{{"type":"event","user_id":{number},"timestamp":"{now}"}}'
    if number % 4_000 == 1:
        return f'{{"type":"basket","user_id":{number}}}'
    if number % 3 == 0:
        return f'{{"type":"session","session_id":"s-{number % 800}","last_accessed":"{now}","data":{{"cart":{number % 7}}}}}'
    if number % 10 == 1:
        return f'{{"type":"cache","user_id":{number % 500},"updated":"{now}","data":{{"plan":"pro"}}}}'
    return f'{{"type":"event","id":"{uuid.uuid4()}","user_id":{number % 5_000},"event_type":"login","timestamp":"{now}"}}'


def flow(worker, ended):
    begun, sent = time.monotonic(), 0
    while not ended.is_set():
        entries = [{"Id": str(index), "MessageBody": message(sent + index)} for index in range(BATCH)]
        worker.sqs.send_message_batch(QueueUrl=worker.queue, Entries=entries)
        sent += BATCH
        pace = PACE + SWING * math.sin((time.monotonic() - begun) * 2 * math.pi / PERIOD_S)
        ended.wait(1 / pace)


def status_page(program, browser):
    port, ended = free_port(), threading.Event()
    worker = Worker(program, port)
    sender = threading.Thread(target=flow, args=(worker, ended))
    try:
        sender.start()
        time.sleep(SECONDS)
        page = browser.new_context(viewport={"width": 1280, "height": 890}, color_scheme="light").new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("#groups tr.group")
        # What it costs to start a browser is over.
        page.wait_for_timeout(SETTLES_MS)
        page.screenshot(path=DOCS / "status-page.png")
        page.screenshot(path=DOCS / "status-page-whole.png", full_page=True)
    finally:
        ended.set()
        sender.join()
        worker.end()


def demo():
    """What a terminal shows of `make demo`, without what the compiler says."""
    ours, its = pty.openpty()
    ran = subprocess.Popen(["make", "--silent", "demo"], cwd=ROOT, stdout=its, stderr=subprocess.DEVNULL)
    os.close(its)
    shown = b""
    # The end of a terminal without writers is an error.
    with contextlib.suppress(OSError):
        while part := os.read(ours, 65_536):
            shown += part
    assert ran.wait() == 0, shown.decode()
    return shown.decode().replace("\r", "")


def terminal(browser, shown):
    page = browser.new_context(viewport={"width": 1000, "height": 600}).new_page()
    page.set_content(f"<body style='margin:0'><pre id='shown' style=\"{STYLE}\">$ make demo\n{html.escape(shown.strip())}</pre>")
    page.locator("#shown").screenshot(path=DOCS / "terminal.png")


def main():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])
        terminal(browser, demo())
        status_page(sys.argv[1], browser)
        browser.close()


if __name__ == "__main__":
    main()
