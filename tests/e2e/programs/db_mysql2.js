// db_mysql2.js - a list of statements through mysql2: text, and prepared ones executed several times.
'use strict';

const mysql = require('mysql2/promise');

async function main() {
  const db = await mysql.createConnection({
    host: process.env.DB_HOST, port: Number(process.env.DB_PORT), user: process.env.DB_USER,
    password: process.env.DB_PASSWORD, database: process.env.DB_NAME,
  });
  await db.query("SELECT id, name FROM items WHERE name = 'sEcReT-1' OR id > 424242");
  for (let number = 1; number <= 3; number++) {
    await db.execute('SELECT name FROM items WHERE id = ?', [number]);
  }
  for (const wrong of ["SELEC 'sEcReT-2'", "INSERT INTO items (id, name) VALUES (1, 'sEcReT-3')"]) {
    await db.query(wrong).catch((error) => console.log(error.errno));
  }
  await db.beginTransaction();
  await db.execute('UPDATE items SET name = ? WHERE id = 2', ['sEcReT-4']);
  await db.rollback();
  await Promise.all([10, 11, 12].map((number) => db.execute(
    'INSERT INTO items (id, name) VALUES (?, ?)', [number, `sEcReT-${number}`])));
  await db.ping();
  const [rows] = await db.query('SELECT id FROM items ORDER BY id');
  console.log(rows.length);
  await db.end();
}

main();
