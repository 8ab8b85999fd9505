# db_psycopg2.py - a list of statements through psycopg2, which writes parameters into the text.
import io
import os

import psycopg2
from psycopg2.extras import execute_values

connection = psycopg2.connect(host=os.environ["DB_HOST"], port=os.environ["DB_PORT"], user=os.environ["DB_USER"],
                              password=os.environ["DB_PASSWORD"], dbname=os.environ["DB_NAME"])
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("SELECT id, name FROM items WHERE name = 'sEcReT-1' OR id > 424242")
for number in range(3):
    cursor.execute("SELECT name FROM items WHERE id = %s", (number + 1,))
for wrong in ("SELEC 'sEcReT-2'", "INSERT INTO items (id, name) VALUES (1, 'sEcReT-3')"):
    try:
        cursor.execute(wrong)
    except psycopg2.Error as error:
        print(error.pgcode)
connection.autocommit = False
cursor.execute("UPDATE items SET name = %s WHERE id = 2", ("sEcReT-4",))
connection.rollback()
connection.autocommit = True
execute_values(cursor, "INSERT INTO items (id, name) VALUES %s", [(n, f"sEcReT-{n}") for n in range(10, 13)])
cursor.copy_expert("COPY items (id, name) FROM STDIN", io.StringIO("".join(f"{n}\tsEcReT\n" for n in range(20, 24))))
cursor.copy_expert("COPY items TO STDOUT", io.StringIO())
cursor.execute("SELECT id FROM items ORDER BY id")
print(len(cursor.fetchall()))
connection.close()
