"""Hooks of IPython: ``%load_ext sdnb`` and ``%unload_ext sdnb``."""

from IPython.core.interactiveshell import InteractiveShell

from sdnb.magics.sd import SdMagics


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magic and its completion; nothing heavy is loaded."""
    magics = SdMagics(shell)
    shell.register_magics(magics)
    shell.Completer.custom_matchers.append(magics.match)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take both away again; the session's pipeline is let go."""
    magics = shell.magics_manager.registry.pop("SdMagics", None)
    if magics is None:
        return
    shell.Completer.custom_matchers.remove(magics.match)
    for kind in ("line", "cell"):
        del shell.magics_manager.magics[kind]["sd"]
