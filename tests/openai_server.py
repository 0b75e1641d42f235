"""A small HTTP server that answers as OpenAI's API does, and fails as servers on the net do."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[[dict[str, Any]], str]
FAILS = ("rate", "cut", "slow", "error", "page", "key", "garbled")


@dataclass
class Script:
    """What the server does.

    Attributes:
        answer: the text that it answers a chat with.
        encode: its tokenizer, if it takes and gives token ids as vLLM does; it answers the prompt's last three.
        models: the names that it lists.
        failing: how often it still fails, and how, see `FAILS`; first one is used up first.
        key: the only API key that it takes.
        seconds: that an answer takes.
    """

    answer: Answer = lambda _: "Four.\n#### 4"
    encode: Callable[[str], list[int]] | None = None
    models: tuple[str, ...] = ("tiny",)
    failing: list[str] = field(default_factory=list)
    key: str = ""
    seconds: float = 0.0
    asked: list[dict[str, Any]] = field(default_factory=list)
    most: int = 0  # answered at once
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begins(self) -> None:
        """A request has come."""
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def ends(self) -> None:
        """It is answered."""
        with self._lock:
            self._now -= 1

    def failure(self) -> str:
        """How the request that has come fails; "" if it does not."""
        with self._lock:
            return self.failing.pop(0) if self.failing else ""


@contextlib.contextmanager
def serving(script: Script) -> Iterator[str]:
    """The address of a server that does what a script says."""
    server = _Server(("127.0.0.1", 0), _handler(script))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.hang_up()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        """Remember a connection: a server that is gone answers on none."""
        found = super().get_request()
        self.connections.append(found[0])
        return found

    def hang_up(self) -> None:
        """End all connections, whatever they are in the middle of."""
        for one in self.connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that have hung up."""


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            if self.path == "/v1/models":
                self.say(200, {"data": [{"id": name} for name in script.models]})
            else:
                self.say(404, {"error": {"message": "no such page"}})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            script.asked.append(body)
            script.begins()
            try:
                time.sleep(script.seconds)
                if script.key and self.headers["Authorization"] != f"Bearer {script.key}":
                    self.say(401, {"error": {"message": f"wrong: {self.headers['Authorization']}"}})
                else:
                    getattr(self, script.failure() or "reply")(body)
            finally:
                script.ends()

        def reply(self, body: dict[str, Any]) -> None:
            if self.path == "/v1/chat/completions":
                message = {"role": "assistant", "content": script.answer(body)}
                self.say(200, {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})
            elif script.encode and self.path == "/v1/completions":
                ids = body["prompt"] if isinstance(body["prompt"], list) else script.encode(body["prompt"])
                one = {"text": "", "token_ids": ids[-3:], "prompt_token_ids": ids, "finish_reason": "length"}
                self.say(200, {"choices": [one | {"index": index} for index in range(body.get("n", 1))]})
            else:
                self.say(404, {"detail": "Not Found"})

        def rate(self, _: Any) -> None:
            self.say(429, {"error": {"message": "too fast"}}, ("Retry-After", "1"))

        def error(self, _: Any) -> None:
            self.say(500, {"error": "out of memory"})

        def page(self, _: Any) -> None:
            self.say(200, "<html>Welcome to the intranet</html>")

        def garbled(self, _: Any) -> None:
            self.say(200, {"result": 4})

        def slow(self, body: dict[str, Any]) -> None:
            time.sleep(1.5)
            self.reply(body)

        def cut(self, _: Any) -> None:
            """Half of an answer, and then the end of the connection."""
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"choices": [{"message": {"content": "Fo')
            self.close_connection = True

        def say(self, code: int, answer: Any, *headers: tuple[str, str]) -> None:
            text = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(code)
            for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(text))), *headers):
                self.send_header(name, "text/html" if name == "Content-Type" and isinstance(answer, str) else value)
            self.end_headers()
            self.wfile.write(text)

    return Handler
