"""A running service, asked over HTTP; what it was asked is remembered, so that it can be asked again with curl."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

SECONDS = 120.0
EXTENSIONS = {"application/json": "json", "text/csv": "csv", "application/x-ndjson": "ndjson", "image/png": "png"}


@dataclass(frozen=True)
class Asked:
    """A request as it was made; `{job}` and the like in its path stand for ids that an answer gave."""

    method: str
    path: str
    media_type: str | None
    headers: Mapping[str, str]
    body: bytes | None
    gives: str | None  # what the id in the answer is called


@dataclass
class Server:
    """A service, and the ids that it gave."""

    http: httpx.Client
    ids: dict[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    @classmethod
    @contextmanager
    def at(cls, url: str) -> Iterator["Server"]:
        with httpx.Client(base_url=url, timeout=SECONDS) as http:
            yield cls(http)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Mapping[str, object] | None = None,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        gives: str | None = None,
    ) -> httpx.Response:
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**({} if content is None else {"Content-Type": media_type}), **(headers or {})}
        self.asked.append(Asked(method, path, None if content is None else media_type, headers or {}, content, gives))
        answer = self.http.request(method, path.format_map(self.ids), content=content, headers=sent)
        if gives is not None and answer.status_code < 300:
            self.ids[gives] = answer.json()["id"]
        return answer

    def write_script(self, folder: Path, asked: Sequence[Asked]) -> Path:
        """Files of the bodies, and a script of curls that sends them again to $URL."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            "#!/bin/sh",
            "# URL=http://127.0.0.1:8000 sh ask_again.sh, on a service with no data",
            "set -e",
            'cd "$(dirname "$0")"',
        ]
        for number, one in enumerate(asked):
            path = one.path
            for name in self.ids:
                path = path.replace(f"{{{name}}}", f"${{{name}}}")
            words = ["curl", "-sg", "-X", one.method, f'"$URL{path}"']
            if one.body is not None:
                file = f"{number:02}.{EXTENSIONS.get(one.media_type or '', 'bin')}"
                (folder / file).write_bytes(one.body)
                words += ["-H", shlex.quote(f"Content-Type: {one.media_type}"), "--data-binary", f"@{file}"]
            words += [word for name, value in one.headers.items() for word in ("-H", shlex.quote(f"{name}: {value}"))]
            command = " ".join(words)
            if one.gives:
                find_id = "python3 -c 'import json, sys; print(json.load(sys.stdin)[\"id\"])'"
                command = f"{one.gives}=$({command} | {find_id})"
            lines.append(command if one.gives else f"{command}; echo")
        script = folder / "ask_again.sh"
        script.write_text("\n".join(lines) + "\n")
        return script
