"""A hub on loopback that keeps models in memory, and speaks as much of the hub as is needed."""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import unquote, urlsplit

import pytest

Files = dict[str, bytes]


@dataclass
class Hub:
    """What lies on the hub.

    Attributes:
        models: USER/NAME -> branch -> path -> content; data sets are datasets/USER/NAME.
        private: Names of the private ones.
        may_write: Whether the token has the right to write.
        card_errors: What it finds wrong in every card.
        asked: Methods and paths of all requests.
        address: Where it listens.
    """

    models: dict[str, dict[str, Files]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    may_write: bool = True
    card_errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, object]:
        """Returns status and JSON; bytes are the content of a file."""
        if path.startswith(("/api/datasets/", "/datasets/")):
            return self._of_dataset(path.strip("/").split("/"))
        match method, path.strip("/").split("/"):
            case "POST", ["api", "validate-yaml"]:
                errors = [{"message": message} for message in self.card_errors]
                return 400 if errors else 200, {"errors": errors, "warnings": []}
            case "POST", ["api", "repos", "create"]:
                return self._create(json.loads(body))
            case "POST", ["api", "models", user, name, "branch", branch]:
                branches = self.models[f"{user}/{name}"]
                branches.setdefault(branch, dict(branches["main"]))
                return 200, {}
            case "POST", ["api", "models", user, name, "preupload", _]:
                files = [file["path"] for file in json.loads(body)["files"]]
                modes = [
                    {"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in files
                ]
                return 200, {"files": modes}
            case "POST", ["api", "models", user, name, "commit", branch]:
                return self._commit(f"{user}/{name}", branch, body)
            case "GET", ["api", "models", user, name, "tree", revision]:
                return 200, self._tree(f"{user}/{name}", revision)
            case "GET", ["api", "models", user, name, *rest]:
                return self._info(f"{user}/{name}", rest[1] if rest else "main")
            case _, [user, name, "resolve", revision, *parts]:
                return self._file(f"{user}/{name}", revision, "/".join(parts))
        return 404, {}

    def _of_dataset(self, parts: list[str]) -> tuple[int, object]:
        match parts:
            case ["api", "datasets", user, name, "tree", revision, *_]:
                return 200, self._tree(f"datasets/{user}/{name}", revision)
            case ["api", "datasets", user, name, *rest]:
                return self._info(f"datasets/{user}/{name}", rest[1] if rest else "main")
            case ["datasets", user, name, "resolve", revision, *path]:
                return self._file(f"datasets/{user}/{name}", revision, "/".join(path))
        return 404, {}

    def _file(self, repo: str, revision: str, path: str) -> tuple[int, object]:
        content = self._files(repo, revision).get(path)
        return (404, {"code": "EntryNotFound"}) if content is None else (200, content)

    def _create(self, wanted: dict[str, str]) -> tuple[int, object]:
        name = f"{wanted['organization']}/{wanted['name']}"
        url = {"url": f"{self.address}/{name}", "id": name}
        if not self.may_write:
            return 403, {"error": "no right"}
        if name in self.models:
            return 409, url
        self.models[name] = {"main": {}}
        if wanted.get("visibility") == "private" or wanted.get("private"):
            self.private.add(name)
        return 200, url

    def _commit(self, model: str, branch: str, body: bytes) -> tuple[int, object]:
        files = self.models[model][branch]
        for line in map(json.loads, body.splitlines()):
            match line["key"], line["value"]:
                case "file", value:
                    files[value["path"]] = base64.b64decode(value["content"])
                case "deletedFile", value:
                    del files[value["path"]]
        sha = commit_of(files)
        return 200, {"commitUrl": f"{self.address}/{model}/commit/{sha}", "commitOid": sha}

    def _info(self, model: str, revision: str) -> tuple[int, object]:
        if model not in self.models:
            return 404, {"code": "RepoNotFound"}
        files = self._files(model, revision)
        if not files and revision not in self.models[model]:
            return 404, {"code": "RevisionNotFound"}
        siblings = [{"rfilename": path} for path in files]
        sha, is_private = commit_of(files), model in self.private
        return 200, {"id": model, "sha": sha, "private": is_private, "siblings": siblings}

    def _tree(self, model: str, revision: str) -> list[dict[str, object]]:
        return [
            {"type": "file", "path": path, "size": len(content), "oid": etag(content)}
            for path, content in self._files(model, revision).items()
        ]

    def _files(self, model: str, revision: str) -> Files:
        branches = self.models.get(model, {})
        by_commit = {commit_of(files): files for files in branches.values()}
        return branches.get(revision) or by_commit.get(revision, {})


def etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def commit_of(files: Files) -> str:
    return etag(b"".join(path.encode() + content for path, content in sorted(files.items())))


@contextmanager
def serving_hub(patch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Runs a hub, which huggingface_hub takes for the one there is, with a token."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append(f"{self.command} {path}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = hub.answer(self.command, path, body)
            answer = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            if isinstance(content, dict) and "code" in content:
                self.send_header("X-Error-Code", str(content["code"]))
            self.send_header("ETag", f'"{etag(answer)}"')
            revision = path.partition("/resolve/")[2].partition("/")[0]
            self.send_header("X-Repo-Commit", revision)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer)

        do_POST = do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        patch.setattr("huggingface_hub.constants.ENDPOINT", hub.address)
        files = f"{hub.address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", files)
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        patch.setenv("HF_TOKEN", "hf_token")
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
