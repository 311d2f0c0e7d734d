"""The S3 store as a place to upload to; for downloads, a view needs none of this.

A `client` is one of aiobotocore, as `fileresponse.s3.client.lend_client` lends it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from fileresponse.http import guess_content_type

PART = 8 * 1024**2  # bytes; also the most that is in memory


async def ensure_bucket(client: Any, bucket: str, region: str | None) -> None:
    """Create the bucket, if the store says that there is none."""
    try:
        await client.head_bucket(Bucket=bucket)
    except client.exceptions.ClientError as error:
        if not _is_missing(error):
            return  # not for us to know; an upload will tell
        place = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        elsewhere = place if region not in (None, "us-east-1") else {}  # its place has no name
        await client.create_bucket(Bucket=bucket, **elsewhere)


async def stored_size(client: Any, bucket: str, key: str) -> int | None:
    """An object's size in bytes; `None`: there is no such object."""
    try:
        head = await client.head_object(Bucket=bucket, Key=key)
    except client.exceptions.ClientError as error:
        if _is_missing(error):
            return None
        raise
    return int(head["ContentLength"])


def _is_missing(error: Any) -> bool:
    """Whether the store has said that there is no such bucket or object."""
    return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] == 404)


async def is_stored(client: Any, bucket: str, path: Path) -> bool:
    """Whether the store has an object of the file's name and size."""
    return await stored_size(client, bucket, path.name) == await size_of(path)


async def size_of(path: Path) -> int:
    """A file's size in bytes."""
    return (await asyncio.to_thread(path.stat)).st_size


async def upload(client: Any, bucket: str, path: Path, show: Callable[[int], None]) -> None:
    """Store a file under its name; whoever asks for it gets all of it, or what was there before."""
    target = {"Bucket": bucket, "Key": path.name}
    content_type = guess_content_type(path.name)
    if await size_of(path) <= PART:
        body = await asyncio.to_thread(path.read_bytes)
        await client.put_object(**target, ContentType=content_type, Body=body)
        return
    begun = await client.create_multipart_upload(**target, ContentType=content_type)
    target["UploadId"] = begun["UploadId"]
    try:
        parts = [part async for part in _send_parts(client, target, path, show)]
        await client.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
    except BaseException:  # a Ctrl-C, too
        forgetting = client.abort_multipart_upload(**target)
        await asyncio.gather(forgetting, return_exceptions=True)  # the store may have gone as well
        raise


async def _send_parts(
    client: Any, target: dict[str, str], path: Path, show: Callable[[int], None]
) -> AsyncIterator[dict[str, Any]]:
    """Send a file part by part; what the store needs in order to put them together."""
    done = 0
    with path.open("rb") as file:
        while body := await asyncio.to_thread(file.read, PART):
            number = done // PART + 1
            part = await client.upload_part(**target, PartNumber=number, Body=body)
            done += len(body)
            show(done)
            yield {"PartNumber": number, "ETag": part["ETag"]}
