// front_https.js - front service on Node's https module; CLIENT=https calls with an agent, fetch with fetch. Kinds: seq, par.
'use strict';
const fs = require('fs');
const https = require('https');

const backend = process.env.BACKEND;
const agent = new https.Agent({ keepAlive: true, maxSockets: 64 });
const pem = fs.readFileSync(process.env.CERTIFICATE);

function request(method, url, body) {
  return new Promise((resolve, reject) => {
    const sent = https.request(url, { method, agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function fetched(method, url, body) {
  const response = await fetch(url, { method, body });
  await response.text();
  return response.status;
}

const call = process.env.CLIENT === 'fetch' ? fetched : request;

async function calls(method, url, body) {
  const query = url.searchParams;
  const count = Number(query.get('calls') || 1);
  const one = (i) => call(method, `${backend}${url.pathname}.${i}${url.search}`, body);
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  if (query.get('mode') === 'par') return Promise.all(numbers.map(one));
  const results = [];
  for (const i of numbers) results.push(await one(i));
  return results;
}

https.createServer({ key: pem, cert: pem }, (request_, response) => {
  const chunks = [];
  request_.on('data', (chunk) => chunks.push(chunk));
  request_.on('end', async () => {
    const url = new URL(request_.url, 'https://front');
    let results;
    try {
      results = await calls(request_.method, url, chunks.length ? Buffer.concat(chunks) : undefined);
    } catch {
      results = [599];
    }
    response.statusCode = results.some((status) => status >= 400) ? 502 : 200;
    response.end(`${results.join(' ')}\n`);
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
