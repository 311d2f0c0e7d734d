"""Objects in a real S3 store, the example that serves them, and a store that dies and comes back."""

import hashlib
import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from fileresponse.testing import ObjectStore
from .tools import free_port

from .servers import HOST, wait_until
from .stores import answers, program

BUCKET = "tests"
GATEWAY = (
    "--multi-buckets --keep-etag --object-meta --no-usage-report --no-bgjob --no-banner "
    "--backup-meta 0 --metrics 127.0.0.1:0 --cache-size 0"
).split()


def s3(store: ObjectStore) -> Any:
    """A client of the store, to be closed; not the one that the library uses."""
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )


def with_bucket(store: ObjectStore) -> ObjectStore:
    """The store, after a bucket has been made in it."""
    with closing(s3(store)) as client:
        client.create_bucket(Bucket=BUCKET)
    return store


def put(store: ObjectStore, key: str, body: bytes, **headers: str) -> Any:
    """Write an object; what the store says to that."""
    with closing(s3(store)) as client:
        return client.put_object(Bucket=BUCKET, Key=key, Body=body, **headers)


def noise(seed: str, size: int) -> bytes:
    """Incompressible bytes, the same each time."""
    return random.Random(seed).randbytes(size)


def sha256(body: bytes) -> str:
    """The SHA-256 of a body."""
    return hashlib.sha256(body).hexdigest()


def variables(store: ObjectStore, **options: object) -> dict[str, str]:
    """The environment in which the example serves the bucket; options as in the settings."""
    settings = store.settings(BUCKET) | {f"FILERESPONSE_S3_{n}": v for n, v in options.items()}
    return {name.replace("FILERESPONSE", "EXAMPLE"): str(value) for name, value in settings.items()}


def behind(store: ObjectStore, url: str) -> ObjectStore:
    """The same store at another address."""
    return replace(store, endpoint_url=url)


class MortalStore:
    """A JuiceFS gateway that can be killed, and comes back with the same port, keys and objects."""

    def __init__(self, folder: Path) -> None:
        url = f"http://{HOST}:{free_port()}"
        self.store = ObjectStore(url, "test-access-key", "test-secret-key")
        self._folder, self._catalogue = folder, f"sqlite3://{folder}/catalogue.db"
        kind = ["--storage", "file", "--bucket", f"{folder}/blocks/", "--trash-days", "0"]
        command = [program("juicefs"), "format", *kind, self._catalogue, "store"]
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        """Start the gateway, and wait for it."""
        address = self.store.endpoint_url.removeprefix("http://")
        keys = {
            "MINIO_ROOT_USER": self.store.access_key,
            "MINIO_ROOT_PASSWORD": self.store.secret_key,
            "HOME": str(self._folder),
        }
        with (self._folder / "gateway.log").open("ab") as log:
            self._gateway = subprocess.Popen(
                [program("juicefs"), "gateway", self._catalogue, address, *GATEWAY],
                env={**os.environ, **keys},
                stdout=log,
                stderr=log,
            )
        ready = f"{self.store.endpoint_url}/minio/health/ready"
        wait_until(lambda: answers(ready), "the store answers", 60)

    def kill(self) -> None:
        """End the gateway in the middle of whatever it does."""
        self._gateway.kill()
        self._gateway.wait()


@contextmanager
def mortal_store(folder: Path) -> Iterator[MortalStore]:
    """A store that runs, with the tests' bucket."""
    mortal = MortalStore(folder)
    mortal.start()
    try:
        with_bucket(mortal.store)
        yield mortal
    finally:
        mortal.kill()
