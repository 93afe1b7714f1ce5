"""Stands before an SQS endpoint and fails single messages of a batch, as SQS may, in an answer that is no error."""

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FaultyQueue:
    """Of what it sees for the first time it fails every third. `batches` are the sizes of the batches that came."""

    def __init__(self, endpoint):
        self.batches, self.failed = [], 0
        # How often a message is failed: 1, or more than anybody tries.
        self.failures = 1
        self._seen, self._lock = {}, threading.Lock()
        # No proxy of the environment stands between this machine and itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(handler):  # noqa: N805 - `self` is the queue
                said = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
                failed = self._choose(said)
                headers = {name: value for name, value in handler.headers.items() if name.lower().startswith(("x-amz", "content-type", "authorization"))}
                status, answer, kind = 200, {"Successful": [], "Failed": []}, "application/x-amz-json-1.0"
                if "Entries" not in said or said["Entries"]:
                    request = urllib.request.Request(endpoint + handler.path, json.dumps(said).encode(), headers, method="POST")
                    try:
                        with opener.open(request, timeout=30) as response:
                            status, answer = response.status, json.loads(response.read() or b"{}")
                    except urllib.error.HTTPError as error:
                        status, answer = error.code, json.loads(error.read() or b"{}")
                if failed:
                    answer.setdefault("Failed", []).extend(failed)
                raw = json.dumps(answer).encode()
                handler.send_response(status)
                handler.send_header("Content-Type", kind)
                handler.send_header("Content-Length", str(len(raw)))
                handler.end_headers()
                handler.wfile.write(raw)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _choose(self, said):
        """Takes out of a batch what is to fail, and returns the answers for it."""
        if "Entries" not in said:
            return []
        failed, kept = [], []
        with self._lock:
            self.batches.append(len(said["Entries"]))
            for entry in said["Entries"]:
                place, times = self._seen.setdefault(entry["MessageBody"], (len(self._seen), 0))
                self._seen[entry["MessageBody"]] = place, times + 1
                if place % 3 == 0 and times < self.failures:
                    failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": "try again"})
                else:
                    kept.append(entry)
            self.failed += len(failed)
        said["Entries"] = kept
        return failed

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
