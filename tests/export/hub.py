"""A model hub on this machine: as much of its protocol as an upload takes, for the real client to talk to."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TOKEN = "hf_of_the_test"


class Hub:
    """What was made and uploaded.

    Attributes:
        url: its address.
        private: by repository, e.g. `model me/name`, whether it is private.
        files: by repository, the content of each uploaded file.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}


@contextmanager
def running() -> Iterator[Hub]:
    """A hub that answers until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.hub = hub = Hub(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]  # for the handler
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]  # set by `running`
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer({"error": "Invalid credentials"}, 401)
        elif self.path == "/api/whoami-v2":
            self._answer({"type": "user", "name": "me", "auth": {"type": "access_token"}})
        else:
            kind, owner, name = self.path.split("?")[0].removeprefix("/api/").split("/")[:3]
            private = hub.private[f"{kind.removesuffix('s')} {owner}/{name}"]
            self._answer({"id": f"{owner}/{name}", "private": private, "siblings": [], "tags": [], "downloads": 0})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        parts = self.path.split("?")[0].removeprefix("/api/").split("/")
        hub: Hub = self.server.hub  # type: ignore[attr-defined]  # set by `running`
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            kind, name = asked.get("type", "model"), asked["name"]
            private = asked.get("visibility") == "private" or bool(asked.get("private"))  # newer clients, older ones
            if f"{kind} me/{name}" in hub.private:
                self._answer(
                    {"error": "You already created this repo", "url": self._address(f"{kind}s", "me", name)}, 409
                )
                return
            hub.private[f"{kind} me/{name}"] = private
            self._answer({"url": self._address(f"{kind}s", "me", name), "name": f"me/{name}"})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif parts[3] == "preupload":
            named = [one["path"] for one in json.loads(body)["files"]]
            modes = [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in named]
            self._answer({"files": modes})
        else:
            repository = f"{parts[0].removesuffix('s')} {parts[1]}/{parts[2]}"
            lines = [json.loads(line) for line in body.splitlines()]
            sent = {line["value"]["path"]: line["value"]["content"] for line in lines if line["key"] == "file"}
            there = hub.files.setdefault(repository, {})  # an upload may be several commits
            there |= {path: base64.b64decode(content) for path, content in sent.items()}
            self._answer({"success": True, "commitOid": "0" * 40, "commitUrl": f"{self._address(*parts[:3])}/commit/0"})

    def _address(self, kind: str, owner: str, name: str) -> str:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]  # set by `running`
        return f"{hub.url}/{'datasets/' if kind == 'datasets' else ''}{owner}/{name}"

    def _answer(self, value: Any, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
