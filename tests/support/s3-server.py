"""OpenStack Swift with its S3 API on loopback, all of its servers in this process: `s3-server.py FOLDER`. Says `ready PORT`."""
import os
import sys

import eventlet

eventlet.monkey_patch()
from eventlet import listen, tpool, wsgi  # noqa: E402

folder = sys.argv[1]
os.makedirs(f"{folder}/node/disk", exist_ok=True)

from swift.common import utils  # noqa: E402

# What /etc/swift/swift.conf would say.
utils.HASH_PATH_SUFFIX, utils.HASH_PATH_PREFIX = b"tidemark", b""

from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402


class Cache(dict):
    """What memcached is to Swift, in one process."""

    def __bool__(self):
        return True

    def get(self, key, *_, **__):
        return dict.get(self, key)

    def set(self, key, value, *_, **__):
        self[key] = value

    def incr(self, key, delta=1, *_, **__):
        self[key] = dict.get(self, key, 0) + delta
        return self[key]

    def decr(self, key, delta=1, *_, **__):
        return self.incr(key, -delta)

    def delete(self, key, *_, **__):
        self.pop(key, None)


class Nowhere:
    def write(self, *_):
        pass


def write(name, text):
    with open(f"{folder}/{name}", "w") as file:
        file.write(text)
    return f"{folder}/{name}"


sockets = {name: listen(("127.0.0.1", 0)) for name in ("account", "container", "object", "proxy")}
configs = {}
for name in ("account", "container", "object"):
    at = {"ip": "127.0.0.1", "port": sockets[name].getsockname()[1]}
    replication = {f"replication_{key}": value for key, value in at.items()}
    builder = RingBuilder(2, 1, 0)
    builder.add_dev(dict(at, **replication, id=0, region=1, zone=1, device="disk", weight=1.0, meta=""))
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{name}.ring.gz")
    configs[name] = write(
        f"{name}.conf",
        f"[DEFAULT]\nswift_dir={folder}\ndevices={folder}/node\nmount_check=false\n"
        f"[pipeline:main]\npipeline=server\n[app:server]\nuse=egg:swift#{name}\n",
    )
filters = ["catch_errors", "gatekeeper", "listing_formats", "s3api", "tempauth", "bulk", "slo"]
options = {
    "s3api": "location=us-east-1\n",
    # account_user=key, and what the user may: the access key is `test:tester`.
    "tempauth": "user_test_tester=testing .admin\n",
}
configs["proxy"] = write(
    "proxy.conf",
    f"[DEFAULT]\nswift_dir={folder}\n[pipeline:main]\npipeline={' '.join(filters)} proxy-server\n"
    "[app:proxy-server]\nuse=egg:swift#proxy\naccount_autocreate=true\n"
    + "".join(f"[filter:{name}]\nuse=egg:swift#{name}\n{options.get(name, '')}" for name in filters),
)

cache = Cache()


def with_cache(app):
    def call(env, start_response):
        env["swift.cache"] = cache
        return app(env, start_response)

    return call


for name, socket in sockets.items():
    app = loadapp(configs[name], global_conf={"log_level": "CRITICAL"})
    eventlet.spawn(wsgi.server, socket, with_cache(app) if name == "proxy" else app, Nowhere(), debug=False)
print(f"ready {sockets['proxy'].getsockname()[1]}", flush=True)
# Its starter holds the other end: gone, so is this.
tpool.execute(sys.stdin.read)
