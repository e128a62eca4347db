"""Uploads a file with tuspy, with a checksum on every chunk, and prints the upload's URL.

Arguments: the endpoint, the file, the chunk size in bytes, the file in which to remember URLs ("" for none), and the
offset at which to stop ("" for the end). Run again with the same file of URLs, it goes on where the server says.
"""

import sys

from tusclient.client import TusClient
from tusclient.storage.filestorage import FileStorage

endpoint, path, chunk_bytes, urls, stop_at = sys.argv[1:6]
storage = FileStorage(urls) if urls else None
uploader = TusClient(endpoint).uploader(
    path,
    chunk_size=int(chunk_bytes),
    # Without a storage no metadata either: tuspy then sends an empty Upload-Metadata header.
    metadata={"filename": "from python.bin"} if urls else None,
    upload_checksum=True,
    store_url=bool(urls),
    url_storage=storage,
)
began_at = uploader.offset
uploader.upload(stop_at=int(stop_at) if stop_at else None)
print(uploader.url, began_at, uploader.offset)
if storage:
    storage.close()
