"""A server on loopback that hands out files, or breaks in a way that a test asks for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class FileServer:
    """What is served, and what was asked for.

    Attributes:
        files: Path without the leading slash -> content.
        cuts: How many of the next answers break off in the middle.
        asked: The paths that were asked for.
        address: Where it listens.
    """

    files: dict[str, bytes]
    cuts: int = 0
    asked: list[str] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[FileServer]:
    """Serves files on loopback while the block runs."""
    state = FileServer(dict(files))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            state.asked.append(path)
            content = state.files.get(path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if state.cuts:
                state.cuts -= 1
                content = content[: len(content) // 2]
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
