"""Start the example: database, sample files, server. Ctrl-C stops it."""

import argparse
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"

WELCOME = """
The example runs at {url}

Three things to try:
  open {url} and play an episode
  curl -sS {url}download/large.bin | sha256sum
  curl -I {url}inline/episode-01.wav

Ctrl-C stops it.
"""


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def main() -> None:
    """Prepare the data, then serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    port: int = parser.parse_args().port
    if not port_is_free(port):
        sys.exit(f"Port {port} on {HOST} is taken. Choose another: make run PORT={port + 1}")

    os.chdir(HERE)
    sys.path.insert(0, str(HERE))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

    import django
    import uvicorn
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    call_command("make_samples")
    print(WELCOME.format(url=f"http://{HOST}:{port}/"), flush=True)
    with suppress(KeyboardInterrupt):
        uvicorn.run(
            "config.asgi:application",
            host=HOST,
            port=port,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )


if __name__ == "__main__":
    main()
