# db_mysqldb.py - a list of statements through mysqlclient, on the C library libmariadb.
import os

import MySQLdb
from MySQLdb.constants import CLIENT

connection = MySQLdb.connect(host=os.environ["DB_HOST"], port=int(os.environ["DB_PORT"]), user=os.environ["DB_USER"],
                             passwd=os.environ["DB_PASSWORD"], db=os.environ["DB_NAME"],
                             autocommit=True, client_flag=CLIENT.MULTI_STATEMENTS)
cursor = connection.cursor()
cursor.execute("SELECT id, name FROM items WHERE name = 'sEcReT-1' OR id > 424242")
for number in range(3):
    cursor.execute("SELECT name FROM items WHERE id = %s", (number + 1,))
for wrong in ("SELEC 'sEcReT-2'", 'INSERT INTO items (id, name) VALUES (1, "sEcReT-3")'):
    try:
        cursor.execute(wrong)
    except MySQLdb.Error as error:
        print(error.args[0])
connection.begin()
cursor.execute("UPDATE items SET name = %s WHERE id = 2", ("sEcReT-4",))
connection.rollback()
cursor.executemany("INSERT INTO items (id, name) VALUES (%s, %s)", [(n, f"sEcReT-{n}") for n in range(10, 13)])
cursor.execute("SELECT 1; SELECT 'sEcReT-5'")
while cursor.nextset():
    pass
connection.select_db("mysql")
connection.select_db(os.environ["DB_NAME"])
connection.ping()
cursor.execute("SELECT id FROM items ORDER BY id")
print(len(cursor.fetchall()))
connection.close()
