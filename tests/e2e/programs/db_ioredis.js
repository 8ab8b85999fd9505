// db_ioredis.js - a list of commands through ioredis: many at once, a pipeline, a transaction, errors.
'use strict';

const Redis = require('ioredis');

async function main() {
  const db = new Redis({
    host: process.env.DB_HOST, port: Number(process.env.DB_PORT), password: process.env.DB_PASSWORD, db: 2,
    enableReadyCheck: false,
  });
  await db.set('user:1', 'sEcReT-1', 'EX', 60);
  await Promise.all([0, 1, 2].map((number) => db.get(`user:${number}`)));
  await db.hset('hash', 'name', 'sEcReT-2', 'mail', 'sEcReT-3');
  await db.mget('user:1', 'user:2');
  await db.lpush('user:1', 'sEcReT-4').catch((error) => console.log(error.message.split(' ')[0]));
  await db.call('NO.SUCH', 'sEcReT-5').catch((error) => console.log(error.message));
  const pipeline = db.pipeline();
  for (let number = 0; number < 5; number++) pipeline.set(`pipe:${number}`, 'sEcReT-6');
  await pipeline.exec();
  await db.multi().incr('counter').lpush('user:1', 'sEcReT-7').exec();
  await db.eval('return ARGV[1]', 1, 'user:1', 'sEcReT-8');
  await db.config('GET', 'maxmemory');
  console.log(await db.dbsize());
  db.disconnect();
}

main();
