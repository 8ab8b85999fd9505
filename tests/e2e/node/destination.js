// destination.js - a collector of any OTLP protocol on official parts: grpc-js, Node's https, OpenTelemetry's decoder.
//
// node destination.js DIRECTORY KIND [PORT]: prints its port. KIND is http, https, grpc or grpcs; over TLS it has
// DIRECTORY/../server.pem and asks for a client certificate of DIRECTORY/../authority.pem.
// DIRECTORY/requests.jsonl gets a line for each request: time in ms, kind, path, headers, bytes, answer, and what was
// decoded: signal, object (OTLP's JSON form; canonical: what the decoder makes of it), spans (their values of url.full).
// DIRECTORY/answers.json, if it is there, lists answers for the next requests; the rest are successes:
//   {"status": 503, "headers": {...}, "body": "text"}   HTTP
//   {"code": 14, "message": "busy", "retry_ms": 1500}   gRPC, RetryInfo if retry_ms is given
//   {"partial": 3}        all is taken, 3 are said to be rejected
//   {"stall": true}       no answer
'use strict';
const childProcess = require('child_process');
const fs = require('fs');
const http = require('http');
const https = require('https');
const path = require('path');
const zlib = require('zlib');
const grpc = require('@grpc/grpc-js');

const transformer = path.dirname(require.resolve('@opentelemetry/otlp-transformer/package.json'));
const root = require(path.join(transformer, 'build/src/generated/root.js'));
const protobuf = require('protobufjs/minimal');

const [directory, kind, port] = process.argv.slice(2);
const signals = {
  traces: { service: root.opentelemetry.proto.collector.trace.v1, name: 'Trace', rejected: 'rejectedSpans' },
  metrics: { service: root.opentelemetry.proto.collector.metrics.v1, name: 'Metrics', rejected: 'rejectedDataPoints' },
  logs: { service: root.opentelemetry.proto.collector.logs.v1, name: 'Logs', rejected: 'rejectedLogRecords' },
};
const ids = new Set(['traceId', 'spanId', 'parentSpanId']);

// OTLP's JSON form of a decoded message: bytes are base64, but for ids.
function plain(value, key) {
  if (Buffer.isBuffer(value)) return value.toString(ids.has(key) ? 'hex' : 'base64');
  if (Array.isArray(value)) return value.map((one) => plain(one, key));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one, name)]));
}

function decodeProtobuf(signal, body) {
  const type = signals[signal].service[`Export${signals[signal].name}ServiceRequest`];
  return plain(type.toObject(type.decode(body), { longs: String, bytes: Buffer, defaults: false }));
}

// What the decoder makes of OTLP's JSON form, in that form: the same, if it has nothing that doesn't belong there.
function decodeJson(signal, object) {
  const type = signals[signal].service[`Export${signals[signal].name}ServiceRequest`];
  const binary = (value, key) => {
    if (ids.has(key)) return Buffer.from(value, 'hex');
    if (Array.isArray(value)) return value.map((one) => binary(one, key));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, binary(one, name)]));
  };
  return plain(type.toObject(type.fromObject(binary(object)), { longs: String, bytes: Buffer, defaults: false }));
}

function urls(object) {
  const found = [];
  for (const resource of object.resourceSpans || []) {
    for (const scope of resource.scopeSpans || []) {
      for (const span of scope.spans || []) {
        const url = (span.attributes || []).find((attribute) => attribute.key === 'url.full');
        found.push(url ? url.value.stringValue : span.name);
      }
    }
  }
  return found;
}

function nextAnswer() {
  const file = path.join(directory, 'answers.json');
  let answers = [];
  try {
    answers = JSON.parse(fs.readFileSync(file));
  } catch {
    return {};
  }
  const answer = answers.shift();
  fs.writeFileSync(file, JSON.stringify(answers));
  return answer || {};
}

function note(entry) {
  fs.appendFileSync(path.join(directory, 'requests.jsonl'), `${JSON.stringify({ time: Date.now(), kind, ...entry })}\n`);
}

function decompress(encoding, body) {
  if (encoding === 'gzip') return zlib.gunzipSync(body);
  if (encoding === 'zstd') return childProcess.execFileSync('zstd', ['-dcq'], { input: body });
  return body;
}

function success(signal, answer) {
  if (answer.partial === undefined) return {};
  return { partialSuccess: { [signals[signal].rejected]: answer.partial, errorMessage: 'rejected "by" the test' } };
}

// ---- HTTP

function receive(request, body, response) {
  const answer = nextAnswer();
  const entry = { path: request.url, headers: request.headers, bytes: body.length, answer };
  if (request.socket.getPeerCertificate) entry.client = (request.socket.getPeerCertificate().subject || {}).CN;
  const json = request.headers['content-type'] === 'application/json';
  const signal = request.url.split('/').pop();
  entry.signal = signal;
  const raw = decompress(request.headers['content-encoding'], body);
  entry.object = json ? JSON.parse(raw) : decodeProtobuf(signal, raw);
  if (json) entry.canonical = decodeJson(signal, entry.object);
  entry.spans = urls(entry.object);
  note(entry);
  if (answer.stall) return;
  if (answer.status) {
    response.writeHead(answer.status, answer.headers || {});
    response.end(answer.body || '');
    return;
  }
  const reply = success(signal, answer);
  const type = signals[signal].service[`Export${signals[signal].name}ServiceResponse`];
  response.writeHead(200, { 'content-type': request.headers['content-type'] });
  response.end(json ? JSON.stringify(reply) : type.encode(reply).finish());
}

function serveHttp(create, options) {
  const server = create(options, (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => receive(request, Buffer.concat(chunks), response));
  });
  server.listen(Number(port || 0), '127.0.0.1', () => console.log(server.address().port));
}

// ---- gRPC

// google.rpc.Status with a google.rpc.RetryInfo among its details.
function statusDetails(answer) {
  const milliseconds = answer.retry_ms;
  const delay = protobuf.Writer.create().uint32(8).int64(Math.floor(milliseconds / 1000))
    .uint32(16).int32((milliseconds % 1000) * 1e6).finish();
  const info = protobuf.Writer.create().uint32(10).bytes(delay).finish();
  const any = protobuf.Writer.create().uint32(10).string('type.googleapis.com/google.rpc.RetryInfo')
    .uint32(18).bytes(info).finish();
  return Buffer.from(protobuf.Writer.create().uint32(8).int32(answer.code).uint32(18).string(answer.message || '')
    .uint32(26).bytes(any).finish());
}

function exportCall(signal, call, callback) {
  const answer = nextAnswer();
  const object = decodeProtobuf(signal, call.request);
  note({ path: call.getPath(), headers: call.metadata.getMap(), bytes: call.request.length, answer, signal, object,
    deadline: Number(call.getDeadline()), peer: (call.getAuthContext().sslPeerCertificate || {}).subject,
    spans: urls(object) });
  if (answer.stall) return;
  if (answer.code) {
    const metadata = new grpc.Metadata();
    if (answer.retry_ms !== undefined) metadata.set('grpc-status-details-bin', statusDetails(answer));
    callback({ code: answer.code, details: answer.message || '', metadata });
    return;
  }
  const type = signals[signal].service[`Export${signals[signal].name}ServiceResponse`];
  callback(null, Buffer.from(type.encode(success(signal, answer)).finish()));
}

function serveGrpc(credentials) {
  const server = new grpc.Server();
  for (const [signal, { name }] of Object.entries(signals)) {
    const part = { traces: 'trace', metrics: 'metrics', logs: 'logs' }[signal];
    server.addService({
      Export: {
        path: `/opentelemetry.proto.collector.${part}.v1.${name}Service/Export`,
        requestStream: false,
        responseStream: false,
        requestSerialize: (value) => value,
        requestDeserialize: (value) => value,
        responseSerialize: (value) => value,
        responseDeserialize: (value) => value,
      },
    }, { Export: (call, callback) => exportCall(signal, call, callback) });
  }
  server.bindAsync(`127.0.0.1:${port || 0}`, credentials, (error, bound) => {
    if (error) throw error;
    console.log(bound);
  });
}

function tls() {
  const above = path.dirname(directory);
  const both = fs.readFileSync(path.join(above, 'server.pem'));
  return { both, authority: fs.readFileSync(path.join(above, 'authority.pem')) };
}

if (kind === 'http') {
  serveHttp(http.createServer, {});
} else if (kind === 'https') {
  const { both, authority } = tls();
  serveHttp(https.createServer, { key: both, cert: both, ca: authority, requestCert: true, rejectUnauthorized: true });
} else if (kind === 'grpc') {
  serveGrpc(grpc.ServerCredentials.createInsecure());
} else {
  const { both, authority } = tls();
  serveGrpc(grpc.ServerCredentials.createSsl(authority, [{ private_key: both, cert_chain: both }], true));
}
