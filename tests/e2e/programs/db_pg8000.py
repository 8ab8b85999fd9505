# db_pg8000.py - a list of statements through pg8000, which speaks the protocol itself.
import io
import os

import pg8000

connection = pg8000.connect(host=os.environ["DB_HOST"], port=int(os.environ["DB_PORT"]), user=os.environ["DB_USER"],
                            password=os.environ["DB_PASSWORD"], database=os.environ["DB_NAME"])
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("SELECT id, name FROM items WHERE name = 'sEcReT-1' OR id > 424242")
for number in range(3):
    cursor.execute("SELECT name FROM items WHERE id = %s", (number + 1,))
for wrong in ("SELEC 'sEcReT-2'", "INSERT INTO items (id, name) VALUES (1, 'sEcReT-3')"):
    try:
        cursor.execute(wrong)
    except pg8000.DatabaseError as error:
        print(error.args[0]["C"] if isinstance(error.args[0], dict) else error.args[2])
connection.autocommit = False
cursor.execute("UPDATE items SET name = %s WHERE id = 2", ("sEcReT-4",))
connection.rollback()
connection.autocommit = True
cursor.executemany("INSERT INTO items (id, name) VALUES (%s, %s)", [(n, f"sEcReT-{n}") for n in range(10, 13)])
cursor.execute("COPY items (id, name) FROM STDIN",
               stream=io.BytesIO(b"".join(b"%d\tsEcReT\n" % n for n in range(20, 24))))
cursor.execute("COPY items TO STDOUT", stream=io.BytesIO())
cursor.execute("SELECT id FROM items ORDER BY id")
print(len(cursor.fetchall()))
connection.close()
