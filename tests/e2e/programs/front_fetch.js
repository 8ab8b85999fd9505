// front_fetch.js - front service on Node's http module, calling with fetch. Kinds: seq, par.
'use strict';
const http = require('http');

async function call(method, url, body) {
  const response = await fetch(url, { method, body });
  await response.text();
  return response.status;
}

http.createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const body = chunks.length ? Buffer.concat(chunks) : undefined;
  const url = new URL(request.url, 'http://front');
  const one = (i) => call(request.method, `${process.env.BACKEND}${url.pathname}.${i}${url.search}`, body);
  const numbers = Array.from({ length: Number(url.searchParams.get('calls') || 1) }, (_, i) => i + 1);
  let results = [];
  try {
    if (url.searchParams.get('mode') === 'par') {
      results = await Promise.all(numbers.map(one));
    } else {
      for (const i of numbers) results.push(await one(i));
    }
  } catch (error) {
    results = [599];
  }
  response.statusCode = results.some((status) => status >= 400) ? 502 : 200;
  response.end(`${results.join(' ')}\n`);
}).listen(Number(process.env.PORT), '127.0.0.1');
