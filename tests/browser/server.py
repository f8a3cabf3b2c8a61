"""A real JupyterLab on a free loopback port, with settings and data of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOKEN = "sdnb-browser-test"


@dataclass(frozen=True)
class Server:
    url: str
    notebooks: Path


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """Start JupyterLab on a copy of the notebooks; stop it and its kernels at the end."""
    notebooks = folder / "notebooks"
    shutil.copytree(ROOT / "notebooks", notebooks)
    write_settings(folder / "config")
    port = free_port()
    server = Server(f"http://127.0.0.1:{port}", notebooks)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--ServerApp.root_dir={notebooks}", f"--IdentityProvider.token={TOKEN}"),
    ]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment(folder), stdout=log, stderr=log)
        try:
            wait_until_it_answers(server, process, folder / "server.log")
            yield server
        finally:
            process.terminate()
            process.wait(timeout=30)


def write_settings(config: Path) -> None:
    """Binder's settings, and every cell in the page so that a test can see it."""
    settings = json.loads((ROOT / "binder/overrides.json").read_text())
    settings["@jupyterlab/notebook-extension:tracker"] = {"windowingMode": "none"}
    file = config / "labconfig" / "default_setting_overrides.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(settings))


def environment(folder: Path) -> dict[str, str]:
    own = {
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "config/settings",
        "JUPYTERLAB_WORKSPACES_DIR": "config/workspaces",
        "XDG_CONFIG_HOME": "xdg-config",
        "XDG_DATA_HOME": "xdg-data",
    }
    paths = {name: str(folder / path) for name, path in own.items()}
    return {**os.environ, **paths, "HF_HUB_OFFLINE": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_it_answers(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{server.url}/api", timeout=1).close()
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")
