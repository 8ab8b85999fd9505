# db_psycopg.py - a list of statements through psycopg 3: parameters apart, prepared, a pipeline.
import os

import psycopg

connection = psycopg.connect(host=os.environ["DB_HOST"], port=os.environ["DB_PORT"], user=os.environ["DB_USER"],
                             password=os.environ["DB_PASSWORD"], dbname=os.environ["DB_NAME"], autocommit=True)
connection.execute("SELECT id, name FROM items WHERE name = 'sEcReT-1' OR id > 424242")
for number in range(3):
    connection.execute("SELECT name FROM items WHERE id = %s", (number + 1,), prepare=True)
for wrong in ("SELEC 'sEcReT-2'", "INSERT INTO items (id, name) VALUES (1, 'sEcReT-3')"):
    try:
        connection.execute(wrong)
    except psycopg.Error as error:
        print(error.sqlstate)
try:
    with connection.transaction():
        connection.execute("UPDATE items SET name = %s WHERE id = 2", ("sEcReT-4",))
        raise psycopg.Rollback
except psycopg.Rollback:
    pass
with connection.pipeline():
    for number in range(10, 13):
        connection.execute("INSERT INTO items (id, name) VALUES (%s, %s)", (number, f"sEcReT-{number}"))
with connection.cursor() as cursor:
    with cursor.copy("COPY items (id, name) FROM STDIN") as copy:
        for number in range(20, 24):
            copy.write_row((number, "sEcReT"))
    with cursor.copy("COPY items TO STDOUT") as copy:
        for _ in copy:
            pass
print(len(connection.execute("SELECT id FROM items ORDER BY id").fetchall()))
connection.close()
