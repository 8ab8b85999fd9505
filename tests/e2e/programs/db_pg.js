// db_pg.js - a list of statements through node-postgres, some of them at once.
'use strict';

const { Client } = require('pg');

async function main() {
  const client = new Client({
    host: process.env.DB_HOST, port: Number(process.env.DB_PORT), user: process.env.DB_USER,
    password: process.env.DB_PASSWORD, database: process.env.DB_NAME,
  });
  await client.connect();
  await client.query("SELECT id, name FROM items WHERE name = 'sEcReT-1' OR id > 424242");
  for (let number = 1; number <= 3; number++) {
    await client.query({ name: 'by-id', text: 'SELECT name FROM items WHERE id = $1', values: [number] });
  }
  for (const wrong of ["SELEC 'sEcReT-2'", "INSERT INTO items (id, name) VALUES (1, 'sEcReT-3')"]) {
    await client.query(wrong).catch((error) => console.log(error.code));
  }
  await client.query('BEGIN');
  await client.query('UPDATE items SET name = $1 WHERE id = 2', ['sEcReT-4']);
  await client.query('ROLLBACK');
  await Promise.all([10, 11, 12].map((number) => client.query(
    'INSERT INTO items (id, name) VALUES ($1, $2)', [number, `sEcReT-${number}`])));
  console.log((await client.query('SELECT id FROM items ORDER BY id')).rowCount);
  await client.end();
}

main();
