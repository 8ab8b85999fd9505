// front_http.js - front service on Node's http module with a keep-alive agent. Kinds: seq, par.
'use strict';
const http = require('http');

const backend = process.env.BACKEND;
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

function call(method, url, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, agent }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    request.end(body);
  });
}

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

http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', async () => {
    const url = new URL(request.url, 'http://front');
    const body = chunks.length ? Buffer.concat(chunks) : undefined;
    let results;
    try {
      results = await calls(request.method, url, body);
    } catch (error) {
      results = [599];
    }
    response.statusCode = results.some((status) => status >= 400) ? 502 : 200;
    response.end(`${results.join(' ')}\n`);
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
