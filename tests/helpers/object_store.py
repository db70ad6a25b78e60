"""A store that speaks S3, on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer


def credentials(url: str) -> dict[str, str]:
    """The environment variables with which a client asks the store at a URL."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
    }


@contextmanager
def object_store() -> Iterator[None]:
    """A store that all clients of this process, and of those that it starts, ask meanwhile."""
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        for name, value in credentials(f"http://{host}:{port}").items():
            environment.setenv(name, value)
        yield
    store.stop()


def upload(bucket: str, objects: dict[str, Path]) -> None:
    """Put files into a new bucket, by key, as objects that anyone may read."""
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket=bucket)
    for key, path in objects.items():
        client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes(), ACL="public-read")
