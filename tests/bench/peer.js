// peer.js - OpenTelemetry's SDK for Node.js on spans like ours: made, counted, batched, encoded, sent, all in one process.
//
//   node peer.js SPANS URL      SPANS: OTLP JSON lines with the spans to imitate; told on its input how many to send
'use strict';

const fs = require('fs');
const path = require('path');
const readline = require('readline');
const { setTimeout } = require('timers/promises');

// The build has them, not this folder.
const from = name => require(path.join(process.env.TAGALONG_BUILD, 'otel/node_modules/@opentelemetry', name));
const { SpanKind, trace, ROOT_CONTEXT } = from('api');
const { OTLPTraceExporter } = from('exporter-trace-otlp-proto');
const { OTLPMetricExporter } = from('exporter-metrics-otlp-proto');
const { resourceFromAttributes } = from('resources');
const { BasicTracerProvider, BatchSpanProcessor } = from('sdk-trace-base');
const { MeterProvider, PeriodicExportingMetricReader } = from('sdk-metrics');

const [, , file, url] = process.argv;
const QUEUE = 2048; // what the processor keeps by default
const COUNTED_BY = ['http.request.method', 'http.response.status_code', 'http.route', 'url.scheme', 'network.protocol.version',
	'db.system.name', 'db.operation.name', 'db.collection.name', 'db.namespace', 'server.address', 'server.port'];

const valueOf = value => value.arrayValue ? value.arrayValue.values.map(valueOf) :
	value.stringValue ?? value.boolValue ?? Number(value.intValue ?? value.doubleValue);
const attributesOf = list => Object.fromEntries(list.map(({ key, value }) => [key, valueOf(value)]));

const requests = fs.readFileSync(file, 'utf8').split('\n').filter(line => line.includes('resourceSpans'))
	.flatMap(line => JSON.parse(line).resourceSpans);
const resource = resourceFromAttributes(attributesOf(requests[0].resource.attributes));
const templates = requests.flatMap(one => one.scopeSpans).flatMap(one => one.spans).map(span => {
	const attributes = attributesOf(span.attributes);
	const isServer = span.kind === 2;

	return {
		name: span.name,
		options: { kind: isServer ? SpanKind.SERVER : SpanKind.CLIENT, attributes },
		isServer,
		counted: Object.fromEntries(Object.entries(attributes).filter(([key]) => COUNTED_BY.includes(key))),
	};
});

// Counts what the collector took.
class Counting extends OTLPTraceExporter {
	taken = 0;

	export(spans, done) {
		super.export(spans, result => {
			if (result.code === 0)
				this.taken += spans.length;
			done(result);
		});
	}
}

const exporter = new Counting({ url: `${url}/v1/traces` });
const tracers = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter, { maxQueueSize: QUEUE })] });
const meters = new MeterProvider({
	resource,
	readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url: `${url}/v1/metrics` }) })],
});
const tracer = tracers.getTracer('peer');
const boundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const duration = name => meters.getMeter('peer').createHistogram(name,
	{ unit: 's', advice: { explicitBucketBoundaries: boundaries } });
const served = duration('http.server.request.duration');
const asked = duration('db.client.operation.duration');
let made = 0;
let parent = ROOT_CONTEXT;

function make() {
	const template = templates[made++ % templates.length];
	const { attributes } = template.options;

	if (template.isServer)
		attributes['url.path'] = `/products/${String(made % 100000).padStart(5, '0')}`;
	const span = tracer.startSpan(template.name, template.options, template.isServer ? ROOT_CONTEXT : parent);
	if (template.isServer)
		parent = trace.setSpan(ROOT_CONTEXT, span);
	span.end();
	(template.isServer ? served : asked).record(0.002, template.counted);
}

async function main() {
	for await (const line of readline.createInterface({ input: process.stdin })) {
		for (let left = Number(line); left > 0; left -= QUEUE) {
			for (let i = Math.min(left, QUEUE); i > 0; i--)
				make();
			await tracers.forceFlush();
		}
		// A batch that was on its way already is not waited for there.
		for (let i = 0; i < 1000 && exporter.taken < made; i++)
			await setTimeout(5);
		console.log(exporter.taken);
	}
	await tracers.shutdown();
	await meters.shutdown();
}

main();
