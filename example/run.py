"""Start the example: database, sample files, S3 store, server. Ctrl-C stops it.

With EXAMPLE_S3_ENDPOINT_URL and its companions (see config/settings.py) it uses that store, and
starts none of its own.
"""

import argparse
import asyncio
import io
import logging
import os
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from subprocess import SubprocessError

HERE = Path(__file__).resolve().parent
HOST = "127.0.0.1"
BUCKET = "episodes"

WELCOME = """
The example runs at {url}
Log in as {name}, with the password {password}

Some things to try:
  open {url} and play an episode
  curl -sS {url}download/large.bin | sha256sum
  curl -I {url}inline/episode-01.wav{more}

Ctrl-C stops it.
"""
MORE = """
  curl -sS {url}object/large.bin | sha256sum  # the same, from the S3 store"""


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def parse_arguments() -> argparse.Namespace:
    """The options; an end with one line if the port is taken."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--large-mb", type=int, default=64, help="size of large.bin (default: 64)")
    arguments = parser.parse_args()
    if not port_is_free(arguments.port):
        advice = f"Choose another: make run PORT={arguments.port + 1}"
        sys.exit(f"Port {arguments.port} on {HOST} is taken. {advice}")
    return arguments


def end_like_ctrl_c() -> None:
    """Let a `kill` and a closed terminal end the example as Ctrl-C does: with all it has started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup and signal.getsignal(hangup) == signal.SIG_DFL:  # else we run under `nohup`
        signal.signal(hangup, lambda *_: signal.raise_signal(signal.SIGTERM))


def ignore_further_signals() -> None:
    """Do not let impatience leave the store behind: it is about to stop."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def start_store(stack: ExitStack) -> None:
    """Run an S3 store until the stack is left, and tell the settings of it; one line if it cannot."""
    from config.paths import DATA_DIR
    from fileresponse.testing import object_store

    try:
        store = stack.enter_context(object_store(DATA_DIR / "store"))
    except (OSError, RuntimeError, SubprocessError) as error:
        print("Without an S3 store:", *str(error).splitlines()[:1], flush=True)
        return
    stack.callback(ignore_further_signals)
    for name, value in store.settings(BUCKET).items():
        os.environ[name.replace("FILERESPONSE_", "EXAMPLE_")] = value


def fill_store() -> None:
    """Upload the sample files; one line if the store does not take them."""
    from django.core.management import CommandError, call_command

    try:
        call_command("store_samples")
    except CommandError as error:
        print(error, file=sys.stderr, flush=True)


def is_no_cut_download(record: logging.LogRecord) -> bool:
    """Whether a record tells of more than a download that our end has cut short."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


def serve(port: int, large_mb: int) -> None:
    """Prepare the data, then serve until interrupted."""
    import django
    import uvicorn
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    from podcast.accounts import NAME, PASSWORD

    call_command("migrate", verbosity=0)
    call_command("make_samples", large_mb=large_mb)
    call_command("make_demo_user", stdout=io.StringIO())
    has_store = hasattr(settings, "FILERESPONSE_S3_ENDPOINT_URL")
    if has_store:
        fill_store()
    url = f"http://{HOST}:{port}/"
    more = MORE.format(url=url) * has_store
    print(WELCOME.format(url=url, name=NAME, password=PASSWORD, more=more), flush=True)
    logging.getLogger("uvicorn.error").addFilter(is_no_cut_download)
    uvicorn.run(
        "config.asgi:application",
        http="fileresponse.servers:SendfileProtocol",
        host=HOST,
        port=port,
        lifespan="on",
        timeout_graceful_shutdown=2,
    )


def main() -> None:
    """Start what is needed, and stop all of it again."""
    arguments = parse_arguments()
    os.chdir(HERE)
    sys.path.insert(0, str(HERE))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    end_like_ctrl_c()
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        if not os.environ.get("EXAMPLE_S3_ENDPOINT_URL"):
            start_store(stack)
        serve(arguments.port, arguments.large_mb)


if __name__ == "__main__":
    main()
