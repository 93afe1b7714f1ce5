"""Looks at the status page of a running worker in headless Chromium: that it loads, lives, shows a dead letter and a closed gate as they
happen, and the dead letters of the database, takes hostile words for words, asks nobody else for anything, and says when the worker is gone. Argument: the program."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import boto3
from playwright.sync_api import sync_playwright

DEADLINE_MS = 60_000
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)><b>bold</b>"


def free_port():
    """Below the range from which the kernel gives ports to every connection of this machine."""
    while True:
        port = random.randrange(12_000, 32_768)
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("0.0.0.0", port))
            return port


class Worker:
    """`longshore dev`: a worker with a queue and a database on this machine."""

    def __init__(self, program, port):
        # Short times, so that a closed gate is not waited for long.
        settings = {
            "admin.listen": f"127.0.0.1:{port}",
            "retry.budget": "1s",
            "retry.max": "500ms",
            "db.server_selection_timeout": "1s",
            "db.write_concern.timeout": "1s",
        }
        flags = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
        self.process = subprocess.Popen([program, *flags, "dev"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            found = re.search(r'QueueUrl="(.*?)"', line)
            if found:
                self.queue = found[1]
                break
        endpoint = re.match(r"http://[^/]+", self.queue)[0]
        self.sqs = boto3.client(
            "sqs", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
        )

    def send(self, *bodies):
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.queue, MessageBody=body if isinstance(body, str) else json.dumps(body))

    def database(self):
        """The process of the database, a grandchild or a child."""
        processes = subprocess.run(["ps", "-eo", "pid=,ppid=,comm="], capture_output=True, text=True, check=True).stdout
        rows = [(int(pid), int(parent), name) for pid, parent, name in (line.split(None, 2) for line in processes.splitlines())]
        below = {self.process.pid}
        for _ in range(3):
            below |= {pid for pid, parent, _ in rows if parent in below}
        found = [pid for pid, _, name in rows if pid in below and name.startswith("mongod")]
        assert len(found) == 1, f"one database below {self.process.pid}: {found}"
        return found[0]

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


class Watch:
    """A page, and all that must not happen on it."""

    def __init__(self, browser, address, **options):
        self.faults = []
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(DEADLINE_MS)
        self.page.on("console", lambda message: message.type in ("error", "warning") and self.faults.append(message.text))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.faults.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: request.url.startswith((address, "data:")) or self.faults.append(request.url))
        self.page.goto(address)

    def text(self):
        return self.page.inner_text("body")

    def until(self, what, *either):
        """Waits until one of the texts stands on the page."""
        try:
            self.page.wait_for_function("either => either.some((words) => document.body.innerText.includes(words))", arg=either)
        except Exception as error:
            raise AssertionError(f"{what}: none of {either} is in:\n{self.text()}") from error

    def look_at_letters(self):
        """Opens a group and a letter of it by the keyboard alone, copies the command, and filters."""
        groups = self.page.locator("#groups tr.group")
        self.page.wait_for_selector("#groups tr.group")
        assert groups.count() == 1, self.text()
        groups.locator(".toggle").focus()
        self.page.keyboard.press("Enter")
        self.page.locator(".letters .toggle").first.focus()
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(".record")
        record = self.page.locator(".record").inner_text()
        assert "What usually fixes it" in record and "admin.show_bodies is off" in record, record
        assert "</script>" in record and "<b>bold</b>" in record, record
        self.page.get_by_role("button", name="Copy replay").click()
        self.page.wait_for_function("() => document.body.innerText.includes('Copied')")
        copied = self.page.evaluate("navigator.clipboard.readText()")
        assert re.fullmatch(r"longshore dead-letters replay --group [0-9a-f]{16} --dry-run", copied), copied
        self.page.select_option("[name=reason]", "bad_json")
        self.until("nothing fits", "None that match.")
        group = re.search(r"[0-9a-f]{16}", copied)[0]
        self.page.select_option("[name=reason]", "")
        self.page.wait_for_selector("#groups tr.group")
        self.page.evaluate("location.hash = 'group=0123456789abcdef'")
        self.until("an unknown group", "groups with the newest letters has this id")
        self.page.evaluate(f"location.hash = 'group={group}'")
        self.page.wait_for_selector("#groups tr.group.open")
        self.page.wait_for_selector(".letters .toggle")
        self.page.fill("[name=group]", "")
        self.page.keyboard.press("Enter")
        self.until("all groups", "letter in 1 group.")

    def assert_clean(self):
        assert not self.faults, self.faults
        wide = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{wide} pixels too wide"
        made = self.page.evaluate("[document.querySelectorAll('img[onerror]').length, document.scripts.length]")
        assert made == [0, 1], f"images of a message, and scripts: {made}"


def look(worker, browser, address):
    live = Watch(browser, address, viewport={"width": 1280, "height": 900})
    plain = Watch(browser, address, java_script_enabled=False)
    assert "Idle" in plain.text() and "queue" in plain.text(), plain.text()
    plain.context.close()
    live.until("it says that nothing comes", "Idle")

    worker.send(*({"type": "event", "user_id": number, "event_type": "login"} for number in range(30)))
    live.until("it says that messages flow", "Flowing")
    worker.send({"type": HOSTILE})
    live.until("it shows the dead letter", "unknown_type")
    live.until("hostile words are words", "<img src=x onerror=alert(2)>")
    live.context.grant_permissions(["clipboard-read", "clipboard-write"])
    live.look_at_letters()

    database = worker.database()
    os.kill(database, signal.SIGSTOP)
    try:
        worker.send({"type": "event", "user_id": 1, "event_type": "login"})
        live.until("it says that the gate is closed", "Gate closed")
        # A write goes unanswered, or the driver's monitor gives the server up before that: whichever is first is told.
        live.until("and what to do", "Look at what the database server is busy with", "Bring the database back")
        live.until("the oldest message grows older", "growing: nothing is received")
        live.until("it says that it cannot ask for dead letters", "the database cannot be asked: ")
    finally:
        os.kill(database, signal.SIGCONT)
    live.page.wait_for_function("() => !document.body.innerText.includes('Gate closed')")
    live.page.wait_for_function("() => !document.body.innerText.includes('cannot be asked')")
    live.assert_clean()

    for options in (
        {"color_scheme": "dark", "viewport": {"width": 360, "height": 800}},
        {"color_scheme": "light", "viewport": {"width": 1920, "height": 1080}},
    ):
        other = Watch(browser, address, **options)
        other.until("it has the dead letter from the start", "unknown_type")
        other.page.wait_for_selector("#groups tr.group")
        other.assert_clean()
        other.context.close()

    worker.end()
    live.until("it says that the worker is gone", "Last known")
    # From here on the browser itself complains that nobody answers.


def chromium():
    """Where it is."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        sys.exit(f"{Path(sys.argv[0]).name}: there is no Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM")
    return found


def main():
    browser_program = chromium()
    port = free_port()
    worker = Worker(sys.argv[1], port)
    try:
        with sync_playwright() as playwright:
            arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            browser = playwright.chromium.launch(executable_path=browser_program, args=arguments)
            look(worker, browser, f"http://127.0.0.1:{port}/")
            browser.close()
    finally:
        worker.end()
    print("the status page lives, shows what happens, and runs nothing that it is sent")


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"{time.monotonic() - started:.0f} s")
