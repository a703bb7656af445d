"""Builds the image and writes its bill of materials into the directory named."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from kai_snapshot import __version__
from sbom import contents, document
from toolchain import debian, images
from toolchain.places import CACHE, CHECKOUT

TAG = f"localhost/{document.NAME}:{__version__}"

with TemporaryDirectory(dir=CACHE) as directory:
    archive = Path(directory) / "image.tar"
    images.build(TAG, dockerfile=CHECKOUT / "Dockerfile", context=CHECKOUT, arguments={})
    images.save(TAG, archive)
    found = contents.read(archive)
target = Path(sys.argv[1]) / f"{document.NAME}.cdx.json"
target.parent.mkdir(parents=True, exist_ok=True)
target.write_text(document.render(found, version=__version__, epoch=int(debian.source_date_epoch())))
print(
    f"{target}: {len(found.debian)} packages of Debian and {len(found.python)} of Python, image sha256:{found.digest}"
)
