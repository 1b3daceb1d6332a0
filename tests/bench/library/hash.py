"""Python's hashlib, zlib and base64 beside mpms.hash and mpms.codec. The same as hash.lua."""
import base64
import hashlib
import hmac
import time
import zlib

big = bytes(i * 7 % 256 for i in range(256)) * (64 << 12)
small = big[:100]


def best(name, work):
    least = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        work()
        least = min(least, time.perf_counter() - begin)
    print("%s %.6f" % (name, least))


for name in ["md5", "sha1", "sha256", "sha512"]:
    best(name + "_64MiB", lambda: hashlib.new(name, big).hexdigest())
best("crc32_64MiB", lambda: "%08x" % zlib.crc32(big))


def many(work):
    def run():
        for _ in range(100000):
            work()

    return run


best("sha256_small_100k", many(lambda: hashlib.sha256(small).hexdigest()))
best("hmac_small_100k", many(lambda: hmac.new(b"key", small, "sha256").hexdigest()))
part = big[: 16 << 20]
text, digits = base64.b64encode(part), part.hex()
best("base64_encode_16MiB", lambda: base64.b64encode(part))
best("base64_decode_16MiB", lambda: base64.b64decode(text, validate=True))
best("hex_encode_16MiB", lambda: part.hex())
best("hex_decode_16MiB", lambda: bytes.fromhex(digits))
