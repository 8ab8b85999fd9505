# db_asyncpg.py - a list of statements through asyncpg, which speaks the protocol itself.
import asyncio
import os

import asyncpg


async def main():
    connection = await asyncpg.connect(
        host=os.environ["DB_HOST"], port=os.environ["DB_PORT"], user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"], database=os.environ["DB_NAME"], ssl=False)
    await connection.execute("SELECT id, name FROM items WHERE name = 'sEcReT-1' OR id > 424242")
    prepared = await connection.prepare("SELECT name FROM items WHERE id = $1")
    for number in range(3):
        await prepared.fetch(number + 1)
    for wrong in ("SELEC 'sEcReT-2'", "INSERT INTO items (id, name) VALUES (1, 'sEcReT-3')"):
        try:
            await connection.execute(wrong)
        except asyncpg.PostgresError as error:
            print(error.sqlstate)
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("UPDATE items SET name = $1 WHERE id = 2", "sEcReT-4")
    await transaction.rollback()
    await connection.executemany("INSERT INTO items (id, name) VALUES ($1, $2)",
                                 [(number, f"sEcReT-{number}") for number in range(10, 13)])
    await connection.copy_records_to_table(
        "items", records=[(number, "sEcReT") for number in range(20, 24)], columns=["id", "name"])

    async def drop(data):
        pass

    await connection.copy_from_table("items", output=drop)
    print(len(await connection.fetch("SELECT id FROM items ORDER BY id")))
    await connection.close()


asyncio.run(main())
