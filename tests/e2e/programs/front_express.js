// front_express.js - front service on Express, calling with http.get and its default agent. Kinds: seq.
'use strict';
const express = require('express');
const http = require('http');

const app = express();
app.use(express.raw({ type: () => true }));

function call(method, url, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method }, (response) => {
      response.on('data', () => {});
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    request.end(Buffer.isBuffer(body) && body.length ? body : undefined);
  });
}

app.all('/n/:trace/:id', async (request, response) => {
  const search = request.originalUrl.includes('?') ? request.originalUrl.slice(request.originalUrl.indexOf('?')) : '';
  const results = [];
  try {
    for (let i = 1; i <= Number(request.query.calls || 1); i++) {
      results.push(await call(request.method, `${process.env.BACKEND}${request.path}.${i}${search}`, request.body));
    }
  } catch (error) {
    results.push(599);
  }
  response.status(results.some((status) => status >= 400) ? 502 : 200).json(results);
});
app.listen(Number(process.env.PORT), '127.0.0.1');
