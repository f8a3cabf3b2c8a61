"""The hub, played by a server on this machine: what is downloaded, and what its errors mean."""

import json
import os
import subprocess
import sys
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from sdnb.models.checkpoint import locate
from sdnb.models.hub import _wanted

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as its library asks for."""

    def __init__(self, folder, asked, *args):
        self.folder, self.asked = folder, asked
        super().__init__(*args)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.partition("?")[0]
        self.asked.append((self.command, path))
        if path.startswith("/api/models/some/tiny/tree"):
            files = [file for file in self.folder.rglob("*") if file.is_file()]
            tree = [
                {
                    "type": "file",
                    "path": file.relative_to(self.folder).as_posix(),
                    "size": file.stat().st_size,
                    "oid": sha256(file.read_bytes()).hexdigest()[:40],
                }
                for file in files
            ]
            self.answer(json.dumps(tree).encode())
        elif path.startswith("/api/models/some/tiny"):
            self.answer(json.dumps({"id": "some/tiny", "sha": COMMIT, "siblings": []}).encode())
        elif path.startswith("/some/tiny/resolve/"):
            if path.split("/")[4] not in ("main", COMMIT):
                return self.refuse("RevisionNotFound")
            file = self.folder / "/".join(path.split("/")[5:])
            if not file.is_file():
                return self.refuse("EntryNotFound")
            self.answer(file.read_bytes())
        elif "gated" in path:
            self.refuse("GatedRepo", 403)
        elif "single" in path and "resolve" in path:
            self.refuse("EntryNotFound")
        else:
            self.refuse("RepoNotFound", 401)
        return None

    def answer(self, content):
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def refuse(self, code, status=404):
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", "no")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args):
        pass


@pytest.fixture
def hub():
    asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, locate("tiny"), asked))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1], asked
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ask(hub, tmp_path):
    """Ask in a process of its own: the hub's library reads its settings when it is imported."""
    port, asked = hub

    def ask(*references, offline=False):
        code = (
            "import sys, sdnb\n"
            "from sdnb.models.checkpoint import locate\n"
            "for reference in sys.argv[1:]:\n"
            "    try: print('FOUND', locate(reference))\n"
            "    except sdnb.SdnbError as error: print('ERROR', str(error).replace('\\n', ' '))\n"
        )
        settings = {
            "HF_ENDPOINT": f"http://127.0.0.1:{port}",
            "HF_HOME": str(tmp_path / "cache"),
            "HF_HUB_OFFLINE": "1" if offline else "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        asked.clear()
        done = subprocess.run(
            [sys.executable, "-c", code, *references],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=120,
        )
        lines = [line for line in done.stdout.splitlines() if line[:5] in ("FOUND", "ERROR")]
        assert len(lines) == len(references), done.stdout + done.stderr
        return lines

    return ask


def test_a_repository_is_downloaded_once_and_found_offline(ask, hub):
    # given
    _, asked = hub
    (first,) = ask("some/tiny")
    taken = [path for command, path in asked if command == "GET" and "resolve" in path]

    # when
    again, other = ask("some/tiny@main", "some/other", offline=True)

    # then
    assert f"/some/tiny/resolve/{COMMIT}/unet/diffusion_pytorch_model.safetensors" in taken
    assert first.startswith("FOUND")
    assert again == first
    assert "not downloaded before" in other
    assert asked == []


def test_what_the_hub_refuses_is_explained(ask):
    explained = {
        "some/gated": "accept its terms",
        "some/nothing": "no model of this name",
        "some/tiny@nowhere": "no such revision",
        "some/single": "not in diffusers' layout",
    }
    for (reference, said), answer in zip(explained.items(), ask(*explained), strict=True):
        assert said in answer
        assert reference in answer


def test_of_a_repository_only_what_is_read_is_taken():
    names = [
        "model_index.json",
        "README.md",
        "v1-5-pruned.safetensors",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "vae/diffusion_pytorch_model.safetensors",
        "safety_checker/model.safetensors",
        "tokenizer/merges.txt",
    ]
    assert set(_wanted(names)) == {
        "model_index.json",
        "words.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
        "tokenizer/merges.txt",
    }
