// front.js - front service on Node.js: every kind of kinds.py. SERVER=http|express, CLIENT=http|fetch.
'use strict';
const { AsyncResource } = require('async_hooks');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const { promisify } = require('util');
const { Worker } = require('worker_threads');

const backend = process.env.BACKEND;
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

// What is loaded or started on first use only, so that a kind costs nothing where it is not asked for.
function once(make) {
  let value;
  return () => (value ??= make());
}

/* ---- HTTP calls --------------------------------------------------------------------------------- */

const agents = {
  kept: new http.Agent({ keepAlive: true, maxSockets: 256 }),
  pool: new http.Agent({ keepAlive: true, maxSockets: 4 }),
  fresh: new http.Agent({ keepAlive: false }),
};
const dispatchers = once(() => {
  const { Agent, fetch: own } = require('undici');
  return { own, pool: new Agent({ connections: 4, pipelining: 1 }), fresh: new Agent({ pipelining: 0 }) };
});

function byHttp(url, { method, body }, connections) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, agent: agents[connections] }, (response) => {
      response.resume();
      response.on('error', reject);
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function byFetch(url, { method, body }, connections) {
  const response = connections === 'kept' ? await fetch(url, { method, body })
    : await dispatchers().own(url, { method, body, dispatcher: dispatchers()[connections] });
  await response.text();
  return response.status;
}

const send = process.env.CLIENT === 'fetch' ? byFetch : byHttp;

// The job's k-th call; a call that fails is not the end of the request.
function call(job, k, connections = 'kept', base = backend) {
  return send(`${base}${job.path}.${k}${job.search}`, job, connections).catch(() => 599);
}

/* ---- an in-process queue with one worker ---------------------------------------------------------- */

const queue = [];
let wake = null;

async function work() {
  for (;;) {
    while (!queue.length) await new Promise((resolve) => { wake = resolve; });
    const { task, done } = queue.shift();
    done(await task());
  }
}
work();

function enqueue(task) {
  return new Promise((done) => {
    queue.push({ task, done });
    if (wake) wake();
    wake = null;
  });
}

/* ---- databases, and a pool whose waiters are woken by whoever gives back --------------------------- */

class Pool {
  constructor(items) {
    this.items = items;
    this.waiters = [];
  }

  async with(use) {
    const item = this.items.pop() ?? await new Promise((resolve) => { this.waiters.push(resolve); });
    try {
      return await use(item);
    } finally {
      const waiter = this.waiters.shift();
      if (waiter) waiter(item);
      else this.items.push(item);
    }
  }
}

const postgres = once(() => new (require('pg').Pool)({ connectionString: process.env.POSTGRES, max: 4 }));
// Connected before the first command: the agent tells of one that waits for that twice.
const connections = once(async () => {
  const Redis = require('ioredis');
  const clients = Array.from({ length: 5 }, () => new Redis(process.env.REDIS, { lazyConnect: true }));
  await Promise.all(clients.map((client) => client.connect()));
  return { shared: clients[0], pool: new Pool(clients.slice(1)) };
});

const names = (job, k) => `${job.path.slice(3)}.${k}`;

function query(job, k) {
  const alias = `id_${names(job, k).replace(/\W/g, '_')}`;
  return k % 2 ? postgres().query(`SELECT 1 AS ${alias}`) : postgres().query(`SELECT $1::text AS ${alias}`, ['x']);
}

const key = (job, k) => `n:${names(job, k)}`;

/* ---- another thread that answers ------------------------------------------------------------------- */

const pending = new Map();
const worker = once(() => {
  const thread = new Worker(
    "const { parentPort } = require('worker_threads'); parentPort.on('message', (id) => parentPort.postMessage(id));",
    { eval: true, execArgv: [] });
  thread.on('message', (id) => {
    pending.get(id)();
    pending.delete(id);
  });
  return thread;
});

function askWorker() {
  const id = crypto.randomUUID();
  return new Promise((resolve) => {
    pending.set(id, resolve);
    worker().postMessage(id);
  });
}

/* ---- how the calls of a request are made ------------------------------------------------------------ */

async function each(job, one) {
  const results = [];
  for (let k = 1; k <= job.calls; k++) results.push(await one(k));
  return results;
}

const numbers = (job) => Array.from({ length: job.calls }, (_, i) => i + 1);

const modes = {
  seq: (job) => each(job, (k) => call(job, k)),
  par: (job) => Promise.all(numbers(job).map((k) => call(job, k))),
  timer: (job) => each(job, async (k) => {
    await sleep(5);
    return call(job, k);
  }),
  // The handler does not wait for the timer's callback by a promise.
  later: (job) => each(job, (k) => new Promise((resolve) => {
    setTimeout(() => setImmediate(() => process.nextTick(() => resolve(call(job, k)))), 3);
  })),
  name: (job) => each(job, (k) => call(job, k, 'fresh', backend.replace('127.0.0.1', 'localhost'))),
  new: (job) => each(job, (k) => call(job, k, 'fresh')),
  pool: (job) => each(job, (k) => call(job, k, 'pool')),
  queue: (job) => each(job, async (k) => {
    await enqueue(() => sleep(1));
    return call(job, k);
  }),
  handoff: (job) => each(job, (k) => enqueue(AsyncResource.bind(() => call(job, k)))),
  thread: (job) => each(job, async (k) => {
    await (k % 2 ? promisify(crypto.pbkdf2)('a', 'b', 1000, 32, 'sha256') : fs.promises.readFile(__filename));
    return call(job, k);
  }),
  worker: (job) => each(job, async (k) => {
    await askWorker();
    return call(job, k);
  }),
  postgres: (job) => each(job, (k) => query(job, k).then(() => 200)),
  redis: (job) => each(job, async (k) => {
    await (await connections()).pool.with((client) => client.get(key(job, k)));
    return 200;
  }),
  shared: (job) => each(job, async (k) => {
    await (await connections()).shared.get(key(job, k));
    return 200;
  }),
  refused: (job) => each(job, async (k) => {
    await send('http://127.0.0.1:1/', { method: 'GET' }, 'fresh').catch(() => 0);
    return call(job, k);
  }),
};

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return chunks.length ? Buffer.concat(chunks) : undefined;
}

async function handle(request, response) {
  const url = new URL(request.url, 'http://front');
  const job = {
    path: url.pathname, search: url.search, method: request.method, calls: Number(url.searchParams.get('calls')),
    body: await body(request),
  };
  const results = await modes[url.searchParams.get('mode') ?? 'seq'](job);
  response.statusCode = results.some((status) => status >= 400) ? 502 : 200;
  response.end(`${results.join(' ')}\n`);
}

const port = Number(process.env.PORT);
const failed = (response) => (error) => {
  console.error(error);
  response.destroy();
};
if (process.env.SERVER === 'express') {
  const app = require('express')();
  app.all('/n/:seed/:id', (request, response) => { handle(request, response).catch(failed(response)); });
  app.listen(port, '127.0.0.1');
} else {
  http.createServer((request, response) => { handle(request, response).catch(failed(response)); })
    .listen(port, '127.0.0.1', 1024);
}
