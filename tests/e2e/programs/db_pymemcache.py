# db_pymemcache.py - a list of commands through pymemcache.
import os

from pymemcache.client.base import Client

db = Client((os.environ["DB_HOST"], int(os.environ["DB_PORT"])), default_noreply=False)
db.set("user:1", "sEcReT-1", expire=60)
for number in range(3):
    db.get(f"user:{number}")
db.get_many(["user:1", "user:2"])
db.add("user:1", "sEcReT-2")
db.set("user:2", "sEcReT-3", noreply=True)
db.delete("user:2")
db.set("counter", "5")
db.incr("counter", 424242)
try:
    db.incr("user:1", 1)
except Exception as error:  # its name differs between versions
    print(type(error).__name__)
_, token = db.gets("user:1")
db.cas("user:1", "sEcReT-4", token)
db.touch("user:1", 5)
db.version()
db.close()
