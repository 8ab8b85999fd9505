// contexts.js - a server whose requests make their calls by every way around the call stack.
//
// /MODE/ID makes the calls /MODE/ID.1, .2, ...; statements name them id_MODE_ID_K, Redis' keys
// n:MODE/ID.K. Environment: PORT, BACKEND (a URL), CERTIFICATE (then it serves HTTPS, with
// HTTP2 by the module of that name), PLAIN_PORT, DB_* as the
// databases give them, with a prefix: POSTGRES_, MARIADB_, REDIS_.
'use strict';
const { execFile, execFileSync } = require('child_process');
const http = require('http');
const https = require('https');
const net = require('net');
const { promisify } = require('util');

const backend = new URL(process.env.BACKEND);
const client = backend.protocol === 'https:' ? https : http;
const agent = new client.Agent({ keepAlive: true, maxSockets: 4 });
const sleep = promisify(setTimeout);

function once(make) {
  let value;
  return () => (value ??= make());
}

function get(path, options = { agent }) {
  return new Promise((resolve, reject) => {
    client.get(new URL(path, backend), options, (response) => response.resume().on('end', resolve)).on('error', reject);
  });
}

/* ---- databases: pools that are too small, and connections that are shared -------------------- */

const account = (kind) => ({
  host: process.env[`${kind}_HOST`], port: Number(process.env[`${kind}_PORT`]), user: process.env[`${kind}_USER`],
  password: process.env[`${kind}_PASSWORD`], database: process.env[`${kind}_NAME`],
});
const pg = once(() => new (require('pg').Pool)({ ...account('POSTGRES'), max: 4 }));
const pgOne = once(() => {
  const one = new (require('pg').Client)(account('POSTGRES'));
  one.connect();
  return one;
});
const mysql = once(() => require('mysql2').createPool({ ...account('MARIADB'), connectionLimit: 4 }));
const mysqlOne = once(() => require('mysql2').createConnection(account('MARIADB')));
const redis = once(() => {
  const { host, port, password } = account('REDIS');
  return new (require('ioredis'))({ host, port, password });
});

const select = (path, k) => `SELECT 1 AS id${path.replaceAll('/', '_')}_${k}`;

/* ---- one socket for all, written to while it connects and while it is corked ------------------ */

const raw = once(() => {
  const socket = net.connect(Number(backend.port), backend.hostname);
  let unread = '';
  socket.waiting = [];
  socket.on('data', (bytes) => {
    unread += bytes;
    for (let end; (end = unread.indexOf('\r\n\r\n')) >= 0;) {
      const size = end + 4 + Number(/content-length: (\d+)/i.exec(unread)[1]);
      if (unread.length < size) return;
      unread = unread.slice(size);
      socket.waiting.shift()();
    }
  });
  return socket;
});

function ask(path) {
  const socket = raw();
  if (!socket.writableCorked) {
    socket.cork();
    setTimeout(() => socket.uncork(), 2);
  }
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return new Promise((resolve) => { socket.waiting.push(resolve); });
}

/* ---- the modes ------------------------------------------------------------------------------- */

const undici = once(() => new (require('undici').Pool)(backend.origin, { connections: 1, pipelining: 4 }));

const modes = {
  agent: (path) => get(`${path}.1`).then(() => sleep(1)).then(() => Promise.all([get(`${path}.2`), get(`${path}.3`)])),
  // No promise of the request's own is between the query and the call.
  pgcallback: (path, done) => { pg().query(select(path, 1), () => get(`${path}.2`).then(done)); },
  pgconnect: (path, done) => {
    pg().connect((_, one, release) => one.query(select(path, 1), () => {
      release();
      get(`${path}.2`).then(done);
    }));
  },
  pgone: (path) => Promise.all([1, 2].map((k) => pgOne().query(select(path, k)))),
  mysqlcallback: (path, done) => { mysql().query(select(path, 1), () => get(`${path}.2`).then(done)); },
  mysqlexecute: (path, done) => { mysql().execute(select(path, 1), () => get(`${path}.2`).then(done)); },
  mysqlpromise: (path) => mysql().promise().query(select(path, 1)).then(() => mysql().promise().execute(select(path, 2))),
  mysqlone: (path) => Promise.all([1, 2].map((k) => mysqlOne().promise().query(select(path, k)))),
  // The first ones wait until it is connected.
  redis: (path, done) => { redis().get(`n:${path.slice(1)}.1`, () => get(`${path}.2`).then(done)); },
  raw: (path) => ask(`${path}.1`),
  undici: async (path) => {
    const { body } = await undici().request({ path: `${path}.1`, method: 'GET' });
    await body.text();
  },
  child: async (path, done) => {
    await sleep(1);
    const parents = [execFileSync('printenv', ['TRACEPARENT']), (await promisify(execFile)('printenv', ['TRACEPARENT'])).stdout];
    done(parents.join('').trim());
  },
  refused: async (path) => {
    await sleep(1);
    await new Promise((resolve) => { net.connect(1, '127.0.0.1').on('error', resolve); });
  },
  // The standard output is a connection to the backend.
  output: async (path) => {
    await sleep(1);
    process.stdout.write(`GET ${path}.1 HTTP/1.1\r\nHost: x\r\n\r\n`);
    await get(`${path}.2`);
  },
  // After all is over.
  after: (path, done, response) => {
    response.on('close', () => get(`${path}.1`));
    setTimeout(() => get(`${path}.2`), 20);
    done();
  },
};

/* ---- the server ------------------------------------------------------------------------------ */

function serve(request, response) {
  const path = request.url;
  const run = () => {
    const done = (text = '') => response.end(`${text}\n`);
    const result = modes[path.split('/')[1]](path, done, response);
    if (result && result.then && !response.writableEnded) result.then(() => response.writableEnded || done());
  };
  if (request.method === 'GET') return run();
  // The body's end comes long after the head.
  request.on('data', () => {});
  request.on('end', () => get(`${path}.1`).then(() => response.end('\n')));
}

const pem = process.env.CERTIFICATE && require('fs').readFileSync(process.env.CERTIFICATE);
const create = process.env.HTTP2 ? require('http2').createSecureServer : https.createServer;
const server = pem ? create({ key: pem, cert: pem, allowHTTP1: true }, serve) : http.createServer(serve);
server.on('checkContinue', (request, response) => {
  setTimeout(() => {
    response.writeContinue();
    server.emit('request', request, response);
  }, 1);
});
server.on('upgrade', async (request, socket) => {
  await get(`${request.url}.1`);
  socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
});
server.on('connect', async (request, socket) => {
  await get(`/connect/${request.url.split(':')[1]}.1`);
  socket.end('HTTP/1.1 200 OK\r\n\r\n');
});
server.listen(Number(process.env.PORT), '127.0.0.1');

/* ---- another one, which knows no more of HTTP than it needs --------------------------------- */

if (process.env.PLAIN_PORT) {
  net.createServer((socket) => {
    socket.on('data', (bytes) => {
      for (const [, path] of String(bytes).matchAll(/^GET (\S+)/gm))
        setTimeout(() => get(`${path}.1`).then(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')), 2);
    });
  }).listen(Number(process.env.PLAIN_PORT), '127.0.0.1');
}
