"""The file that downloads fetch: any length, the same bytes every time, no two blocks equal."""

import hashlib
import random

BLOCK = 65536
_base = random.Random(20180915).randbytes(BLOCK - 8)


def block(number):
    return number.to_bytes(8, "big") + _base


def blocks(size):
    number = 0
    while size > 0:
        piece = block(number)[: min(size, BLOCK)]
        yield piece
        size -= len(piece)
        number += 1


def checksum(size):
    digest = hashlib.sha256()
    for piece in blocks(size):
        digest.update(piece)
    return digest.hexdigest()
