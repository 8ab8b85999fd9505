// receiver.js - an OTLP/HTTP receiver on the official decoder: appends what it receives as JSON lines.
//
// node receiver.js DIRECTORY [PORT]: prints its port, then serves
//   POST /KEY/v1/traces   decode; each span is a line of DIRECTORY/KEY.jsonl
//   POST /KEY/v1/metrics  decode; each point is a line of DIRECTORY/KEY.metrics.jsonl
//   PUT  /KEY/mode        JSON, how the next requests of KEY are answered:
//                         {"status": 503, "times": 2, "headers": {"retry-after": "1"}} answer so, take nothing
//                         {"partial": 3}     take all, answer that 3 spans were rejected
//                         {"delay": 500}     answer after 500 ms
//                         {"stall": true}    never answer
//   GET  /KEY/requests    JSON, one entry a POST: time in ms, status, headers, bytes, spans
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const zlib = require('zlib');

// The package hides its generated messages behind its exports map; the file itself is what its
// own serialisers use.
const transformer = path.dirname(require.resolve('@opentelemetry/otlp-transformer/package.json'));
const root = require(path.join(transformer, 'build/src/generated/root.js'));
const messages = root.opentelemetry.proto.collector.trace.v1;
const measured = root.opentelemetry.proto.collector.metrics.v1;

const directory = process.argv[2];
const states = new Map();

function stateOf(key) {
  if (!states.has(key)) states.set(key, { mode: {}, requests: [] });
  return states.get(key);
}

function plain(value) {
  if (value.arrayValue) return value.arrayValue.values.map(plain);
  if (value.kvlistValue) return attributes(value.kvlistValue.values);
  for (const name of ['stringValue', 'boolValue', 'intValue', 'doubleValue', 'bytesValue']) {
    if (value[name] !== undefined && value[name] !== null) return value[name];
  }
  return null;
}

// A key that appears twice is a fault of the sender, and must not be hidden by an object.
function attributes(list) {
  const result = {};
  for (const entry of list || []) {
    if (entry.key in result) result['!duplicate'] = entry.key;
    result[entry.key] = plain(entry.value || {});
  }
  return result;
}

function spansOf(body) {
  const decoded = messages.ExportTraceServiceRequest.decode(body);
  const request = messages.ExportTraceServiceRequest.toObject(decoded, { longs: Number, bytes: Buffer, defaults: false });
  const spans = [];
  for (const resourceSpans of request.resourceSpans || []) {
    const resource = attributes((resourceSpans.resource || {}).attributes);
    for (const scopeSpans of resourceSpans.scopeSpans || []) {
      for (const span of scopeSpans.spans || []) {
        spans.push({
          trace: (span.traceId || Buffer.alloc(0)).toString('hex'),
          span: (span.spanId || Buffer.alloc(0)).toString('hex'),
          parent: (span.parentSpanId || Buffer.alloc(0)).toString('hex'),
          trace_state: span.traceState || '',
          name: span.name || '',
          kind: span.kind || 0,
          start: span.startTimeUnixNano || 0,
          end: span.endTimeUnixNano || 0,
          flags: span.flags || 0,
          status: (span.status || {}).code || 0,
          message: (span.status || {}).message || '',
          attributes: attributes(span.attributes),
          resource,
          schema_url: resourceSpans.schemaUrl || '',
          scope: (scopeSpans.scope || {}).name || '',
        });
      }
    }
  }
  return spans;
}

// What stands around the points of a metric, whatever its kind is called.
const KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'];

function pointsOf(body, push) {
  const decoded = measured.ExportMetricsServiceRequest.decode(body);
  const request = measured.ExportMetricsServiceRequest.toObject(
    decoded, { longs: Number, bytes: Buffer, defaults: false });
  const points = [];
  for (const resourceMetrics of request.resourceMetrics || []) {
    const resource = attributes((resourceMetrics.resource || {}).attributes);
    for (const scopeMetrics of resourceMetrics.scopeMetrics || []) {
      for (const metric of scopeMetrics.metrics || []) {
        const kind = KINDS.find((name) => metric[name]);
        for (const point of metric[kind].dataPoints || []) {
          points.push({
            ...point,
            push,
            metric: metric.name,
            unit: metric.unit,
            kind,
            temporality: metric[kind].aggregationTemporality,
            monotonic: metric[kind].isMonotonic || false,
            attributes: attributes(point.attributes),
            resource,
            scope: (scopeMetrics.scope || {}).name || '',
            exemplars: (point.exemplars || []).map((exemplar) => ({
              trace: exemplar.traceId.toString('hex'),
              span: exemplar.spanId.toString('hex'),
              value: exemplar.asDouble,
            })),
          });
        }
      }
    }
  }
  return points;
}

function receiveMetrics(key, request, body, response) {
  const state = stateOf(key);
  const raw = request.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(body) : body;
  state.pushes = (state.pushes || 0) + 1;
  const lines = pointsOf(raw, state.pushes).map((point) => `${JSON.stringify(point)}\n`);
  fs.appendFileSync(path.join(directory, `${key}.metrics.jsonl`), lines.join(''));
  answer(response, 200, { 'content-type': 'application/x-protobuf' }, Buffer.alloc(0));
}

function answer(response, status, headers, body) {
  response.writeHead(status, { 'content-length': body.length, ...headers });
  response.end(body);
}

function receive(key, request, body, response) {
  const state = stateOf(key);
  const { mode } = state;
  const entry = { time: Date.now(), status: 200, headers: request.headers, bytes: body.length, spans: 0 };
  state.requests.push(entry);
  if (mode.stall) {
    entry.status = 0;
    return;
  }
  if (mode.status) {
    entry.status = mode.status;
    if (mode.times !== undefined && --mode.times <= 0) state.mode = {};
    answer(response, mode.status, mode.headers || {}, Buffer.alloc(0));
    return;
  }
  let spans;
  try {
    const raw = request.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(body) : body;
    if (request.headers['content-type'] !== 'application/x-protobuf') throw new Error('content type');
    spans = spansOf(raw);
  } catch (error) {
    entry.status = 400;
    entry.error = String(error);
    answer(response, 400, {}, Buffer.alloc(0));
    return;
  }
  entry.spans = spans.length;
  fs.appendFileSync(path.join(directory, `${key}.jsonl`), spans.map((span) => `${JSON.stringify(span)}\n`).join(''));
  const reply = mode.partial
    ? { partialSuccess: { rejectedSpans: mode.partial, errorMessage: 'rejected by the test' } } : {};
  const bytes = Buffer.from(messages.ExportTraceServiceResponse.encode(reply).finish());
  setTimeout(() => answer(response, 200, { 'content-type': 'application/x-protobuf' }, bytes), mode.delay || 0);
}

const server = http.createServer((request, response) => {
  const [, key, ...rest] = request.url.split('/');
  const what = `${request.method} ${rest.join('/')}`;
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    if (what === 'POST v1/traces') {
      receive(key, request, body, response);
    } else if (what === 'POST v1/metrics') {
      receiveMetrics(key, request, body, response);
    } else if (what === 'PUT mode') {
      stateOf(key).mode = JSON.parse(body.toString());
      answer(response, 204, {}, Buffer.alloc(0));
    } else if (what === 'GET requests') {
      answer(response, 200, {}, Buffer.from(JSON.stringify(stateOf(key).requests)));
    } else {
      answer(response, 404, {}, Buffer.alloc(0));
    }
  });
});
server.listen(Number(process.argv[3] || 0), '127.0.0.1', () => console.log(server.address().port));
