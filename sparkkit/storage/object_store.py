"""The seam on S3, by S3A in the session's JVM: no rename, but one `PUT` of many at a name that wins, and copies within the store.

What S3 gives: an object appears whole, a list has what was put before it, `If-None-Match: *` puts only where nothing is, `If-Match` only
over what was read. A copy is one request up to 5 GB, beyond that some parts and one that completes them. There are no folders; what is
listed below a name is one.

S3A is that of Hadoop 3.4 and later, whose client and requests are at hand. On an older one, and on EMR's own filesystem, plain files
are refused, and tables are without a lock.
"""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from py4j.protocol import Py4JError, Py4JJavaError

from sparkkit.storage.hadoop import THREADS, Hadoop
from sparkkit.storage.hadoop_store import as_os_error, thrown
from sparkkit.storage.seam import Found

CLASS = "org.apache.hadoop.fs.s3a.S3AFileSystem"
LARGEST = 5 * 2**30
"""Bytes that one request copies."""

PART = 2**30
TRIES = 5
"""How often a call is made again that S3 refused for another that was under way."""

T = TypeVar("T")


@dataclass(frozen=True)
class ObjectStore:
    """A bucket."""

    hadoop: Hadoop
    system: Any

    renames, links, exchanges, threads = False, False, False, THREADS

    @staticmethod
    def knows(hadoop: Hadoop, path: str) -> bool:
        """Whether a path is on S3 by an S3A that gives its client."""
        system = hadoop.system(path)
        if str(system.getClass().getName()) != CLASS:
            return False
        try:
            return bool(system.getS3AInternals())
        except Py4JError:
            return False

    @classmethod
    def of(cls, hadoop: Hadoop, path: str) -> ObjectStore:
        """The store that a path is on."""
        return cls(hadoop, hadoop.system(path))

    def list(self, folder: str) -> Sequence[str]:
        """The names below a folder's, sorted, those with others below them with a `/` at their end."""
        path = self.hadoop.path(folder)
        statuses: Sequence[Any] = self._told(lambda: self.system.listStatus(path), missing=())
        itself = path.toUri().getPath()
        return tuple(sorted(str(one.getPath().getName()) + "/" * bool(one.isDirectory()) for one in statuses
                            if one.getPath().toUri().getPath() != itself))

    def read(self, path: str) -> Found | None:
        """A small object, whole, of the version that its first request saw."""
        def look() -> Found:
            status = self.system.getFileStatus(self.hadoop.path(path))
            if status.isDirectory():
                raise FileNotFoundError(path)
            stream = self.system.openFile(self.hadoop.path(path)).withFileStatus(status).build().get()
            try:
                return Found(bytes(stream.readAllBytes()), str(status.getETag()))
            finally:
                stream.close()

        return self._told(look, missing=None)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """One conditional request, of which one wins."""
        return self._put(path, data, "If-None-Match", "*")

    def replace_if_unchanged(self, path: str, data: bytes, version: str) -> str | None:
        """One conditional request; the version is the object's ETag."""
        if not self._put(path, data, "If-Match", version):
            return None
        return self._told(lambda: str(self.system.getFileStatus(self.hadoop.path(path)).getETag()), missing=None)

    def rename(self, old: str, new: str) -> bool:
        """Can't.

        Raises:
            OSError: always.
        """
        raise OSError(f"{old} can't be renamed: S3 has no rename")

    def duplicate(self, old: str, new: str) -> bool:
        """Copies within the store, with the target's own encryption; no byte comes here."""
        return self._told(lambda: self._copied(old, new), missing=False)

    def exchange(self, one: str, other: str) -> bool:
        """Can't."""
        return False

    def link(self, old: str, new: str) -> None:
        """Can't.

        Raises:
            OSError: always.
        """
        raise OSError(f"{old} can't have a second name on S3")

    def delete(self, path: str) -> None:
        """Deletes an object and all below its name."""
        self._told(lambda: self.system.delete(self.hadoop.path(path), True), missing=False)

    def make_folder(self, path: str) -> None:
        """Nothing: there are none."""

    def persist(self, folder: str) -> None:
        """Nothing: what was put is kept."""

    def _put(self, path: str, data: bytes, condition: str, value: str) -> bool:
        """The condition as a header of its own: S3A and Amazon's SDK know it only from Hadoop 3.4.2 on."""
        sdk, key = self.hadoop.jvm.software.amazon.awssdk, self.system.pathToKey(self.hadoop.path(path))
        options = self.hadoop.jvm.org.apache.hadoop.fs.s3a.impl.PutObjectOptions.defaultOptions()

        def put() -> bool:
            asked = self._factory().newPutObjectRequestBuilder(key, options, len(data), False)
            header = sdk.awscore.AwsRequestOverrideConfiguration.builder().putHeader(condition, value).build()
            body = sdk.core.sync.RequestBody.fromBytes(data)
            self._client().putObject(asked.overrideConfiguration(header).build(), body)
            return True

        return self._told(put, missing=False, refused=False)

    def _client(self) -> Any:
        return self.system.getS3AInternals().getAmazonS3Client("sparkkit")

    def _factory(self) -> Any:
        return self.system.createStoreContext().getRequestFactory()

    def _copied(self, old: str, new: str) -> bool:
        source, target = (self.system.pathToKey(self.hadoop.path(path)) for path in (old, new))
        client, factory = self._client(), self._factory()
        seen = self.system.getS3AInternals().getObjectMetadata(self.hadoop.path(old))
        if seen.contentLength() <= LARGEST:
            client.copyObject(factory.newCopyObjectRequestBuilder(source, target, seen).build())
            return True
        return self._in_parts(client, factory, source, target, seen)

    def _in_parts(self, client: Any, factory: Any, source: str, target: str, seen: Any) -> bool:
        model, bucket = self.hadoop.jvm.software.amazon.awssdk.services.s3.model, self.system.getBucket()
        upload = client.createMultipartUpload(factory.newMultipartUploadRequestBuilder(target, None).build()).uploadId()
        parts = self.hadoop.jvm.java.util.ArrayList()
        size = int(seen.contentLength())
        for number, start in enumerate(range(0, size, PART), 1):
            asked = model.UploadPartCopyRequest.builder().sourceBucket(bucket).sourceKey(source).copySourceIfMatch(seen.eTag())
            asked = asked.destinationBucket(bucket).destinationKey(target).uploadId(upload).partNumber(number)
            done = client.uploadPartCopy(asked.copySourceRange(f"bytes={start}-{min(start + PART, size) - 1}").build())
            parts.add(model.CompletedPart.builder().partNumber(number).eTag(done.copyPartResult().eTag()).build())
        asked = model.CompleteMultipartUploadRequest.builder().bucket(bucket).key(target).uploadId(upload)
        client.completeMultipartUpload(asked.multipartUpload(model.CompletedMultipartUpload.builder().parts(parts).build()).build())
        return True

    def _told(self, call: Callable[[], T], **instead: T) -> T:
        """What a call answers; `missing` and `refused` are what to give for an object that is not there, and a condition that does not
        hold; other trouble is an `OSError`."""
        for again in range(TRIES):
            try:
                return call()
            except FileNotFoundError:
                return instead["missing"]
            except Py4JJavaError as error:
                text = _all(error)
                if "missing" in instead and ("FileNotFoundException" in text or "NoSuchKey" in text):
                    return instead["missing"]
                if "refused" in instead and "Status Code: 412" in text:
                    return instead["refused"]
                if "Status Code: 409" in text and again < TRIES - 1:
                    time.sleep(0.1 * 2**again)
                    continue
                raise as_os_error(error) from error
            except Py4JError as error:
                raise as_os_error(error) from error
        raise AssertionError


def _all(error: Py4JJavaError) -> str:
    """An error with what caused it."""
    java, said = error.java_exception, list[str]()
    while java is not None and len(said) < 5:
        said.append(str(java.toString()))
        java = java.getCause()
    return "\n".join([thrown(error), *said])
