# db_pylibmc.py - a list of commands through pylibmc, on the C library libmemcached.
import os

import pylibmc

db = pylibmc.Client([f"{os.environ['DB_HOST']}:{os.environ['DB_PORT']}"], binary=False,
                    behaviors={"tcp_nodelay": True})
db.set("user:1", "sEcReT-1", time=60)
for number in range(3):
    db.get(f"user:{number}")
db.get_multi(["user:1", "user:2"])
db.add("user:1", "sEcReT-2")
db.set("user:2", "sEcReT-3")
db.delete("user:2")
db.set("counter", 5)
db.incr("counter", 424242)
db.touch("user:1", 5)
db.disconnect_all()
