"""A server on loopback for tests of downloads: it breaks off, is busy, or changes, as told."""

import contextlib
import hashlib
import http.server
import re
import threading
from dataclasses import dataclass, field


@dataclass
class Served:
    """What the server gives, how it misbehaves, and what it was asked.

    `cuts` and `answers` are used up one a request: the bytes after which a request is cut off
    (None: not), and a status in place of the file (None: the file).
    """

    content: bytes = b""
    url: str = ""
    name: str = "net.pt"
    ranges: bool = True
    etag: bool = True
    headers: dict = field(default_factory=dict)
    redirect: bool = False
    cuts: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    requests: list = field(default_factory=list)
    bytes: int = 0

    @property
    def mark(self):
        return f'"{hashlib.md5(self.content).hexdigest()}"'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Served

    def do_HEAD(self):
        self.give(body=False)

    def do_GET(self):
        self.give(body=True)

    def give(self, body):
        served = self.served
        asked = self.headers.get("Range")
        served.requests.append((self.command, asked))
        status = served.answers.pop(0) if body and served.answers else None
        if status is not None or served.name not in self.path:
            self.send_response(status or 404)
            self.finish_headers({"Content-Length": "0", "Retry-After": "0"})
            return
        if served.redirect and "there" not in self.path:
            self.send_response(302)
            place = f"/there/{served.name}"
            self.finish_headers({"Location": place, "Content-Length": "0", **served.headers})
            return
        self.file(asked, body)

    def file(self, asked, body):
        served, first = self.served, 0
        fresh = self.headers.get("If-Range") in (None, served.mark)
        if asked and served.ranges and fresh:
            first = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
        content = served.content
        if first >= len(content) > 0:
            self.send_response(416)
            self.finish_headers({"Content-Length": "0"})
            return
        self.send_response(206 if first else 200)
        headers = {"Content-Length": str(len(content) - first)}
        headers |= (
            {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"} if first else {}
        )
        headers |= {"ETag": served.mark} if served.etag else {}
        self.finish_headers(headers | ({} if served.redirect else served.headers))
        if body:
            cut = served.cuts.pop(0) if served.cuts else None
            part = content[first:][:cut]
            served.bytes += len(part)
            self.wfile.write(part)
            self.close_connection = cut is not None

    def finish_headers(self, headers):
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving():
    """Serve as long as the block lasts."""
    served = Served()
    handler = type("Own", (Handler,), {"served": served})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        served.url = f"http://127.0.0.1:{server.server_port}"
        yield served
        server.shutdown()
