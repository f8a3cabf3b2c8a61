"""Reaching a Dask cluster: one that is given, one at an address, or one of this machine's cores."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from sdnb.errors import SdnbError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

LOOPBACK = "127.0.0.1"

DEAF = "import signal\n\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
"""What workers of an own cluster begin with: a notebook's interrupt reaches all its processes."""


@contextmanager
def connected(client: "Client | str | None") -> Iterator["Client"]:
    """Give a client: the one given, or one of its own, ended at the end."""
    try:
        from distributed import Client
    except ImportError as error:
        raise SdnbError(
            "a sweep needs Dask, which is not installed.", fix='pip install "sdnb[dask]"'
        ) from error
    if isinstance(client, Client):
        yield client
    elif client is None:
        with _own_cluster() as cluster, Client(cluster, set_as_default=False) as own:
            yield own
    else:
        with _client_at(client) as own:
            yield own


def _client_at(address: str) -> "Client":
    from distributed import Client

    try:
        return Client(address, set_as_default=False)
    except (OSError, ValueError) as error:
        raise SdnbError(
            "no scheduler answers at this address.",
            given=address,
            allowed='the address that "dask scheduler" prints',
            fix='client="tcp://HOST:8786", or leave it out for a cluster on this machine',
        ) from error


def _own_cluster() -> "LocalCluster":
    """Start processes of one thread each, that only this machine can reach.

    One for each core, or one for a graphics card: dask-cuda has clusters for several.
    """
    from distributed import LocalCluster

    has_card = torch.cuda.is_available() or torch.backends.mps.is_available()
    return LocalCluster(
        n_workers=1 if has_card else None,
        threads_per_worker=1,
        processes=True,
        host=LOOPBACK,
        dashboard_address=None,
        scheduler_kwargs={"dashboard_address": f"{LOOPBACK}:0"},  # its health page; else port 8787
        preload=[DEAF],
    )
