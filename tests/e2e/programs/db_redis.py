# db_redis.py - a list of commands through redis-py: pipeline, transaction, errors, pub/sub.
import os

import redis

db = redis.Redis(host=os.environ["DB_HOST"], port=int(os.environ["DB_PORT"]), password=os.environ["DB_PASSWORD"], db=2,
                 client_name="e2e")
db.set("user:1", "sEcReT-1", ex=60)
for number in range(3):
    db.get(f"user:{number}")
db.hset("hash", mapping={"name": "sEcReT-2", "mail": "sEcReT-3"})
db.mget("user:1", "user:2")
try:
    db.lpush("user:1", "sEcReT-4")
except redis.ResponseError as error:
    print(str(error).split()[0])
try:
    db.execute_command("NO.SUCH", "sEcReT-5")
except redis.ResponseError as error:
    print(error)
with db.pipeline(transaction=False) as pipeline:
    for number in range(5):
        pipeline.set(f"pipe:{number}", "sEcReT-6")
    pipeline.execute()
with db.pipeline() as pipeline:
    pipeline.incr("counter")
    pipeline.lpush("user:1", "sEcReT-7")
    pipeline.execute(raise_on_error=False)
db.eval("return ARGV[1]", 1, "user:1", "sEcReT-8")
listener = db.pubsub()
listener.subscribe("news", "sport")
while listener.get_message(timeout=1)["data"] != 2:
    pass
db.publish("news", "sEcReT-9")
print(listener.get_message(timeout=5)["type"])
listener.unsubscribe()
while listener.get_message(timeout=5)["data"] != 0:
    pass
listener.close()
db.config_get("maxmemory")
print(db.dbsize())
db.close()
