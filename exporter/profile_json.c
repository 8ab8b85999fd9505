/* profile_json.c - a profile as JSON; slow calls as lines. */
#include "exporter/profile_json.h"

#include <arpa/inet.h>
#include <string.h>

#include "exporter/terminal.h"

/* Names of processes are any bytes. */
static void print_text(const char *text, FILE *to)
{
	fputc('"', to);
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;
		if (byte == '"' || byte == '\\')
			fprintf(to, "\\%c", byte);
		else if (byte < 0x20 || byte >= 0x7f)
			fprintf(to, "\\u%04x", byte);
		else
			fputc(byte, to);
	}
	fputc('"', to);
}

static const char *measure_name(int measure)
{
	static const char *const names[MEASURE_KINDS] = {
		[MEASURE_CALL] = "call",         [MEASURE_OFFCPU] = "offcpu",
		[MEASURE_RUNQUEUE] = "runqueue", [MEASURE_BLOCK] = "block",
		[MEASURE_CONNECT] = "connect",   [MEASURE_ACCEPT] = "accept",
	};

	return measure < MEASURE_KINDS ? names[measure] : "";
}

static void print_process(const struct profile_data *data, uint64_t id, uint32_t thread, FILE *to)
{
	const struct profile_process *process = profile_data_process(data, id);

	fprintf(to, "\"pid\":%u,", (unsigned)(id >> 32));
	if (thread)
		fprintf(to, "\"thread\":%u,", thread);
	fputs("\"name\":", to);
	print_text(process ? process->name : "", to);
}

static void print_buckets(const struct latency *latency, FILE *to)
{
	const char *between = "";

	fputs(",\"buckets\":[", to);
	for (int i = 0; i < PROBE_BUCKETS; i++) {
		if (!latency->buckets[i])
			continue;
		fprintf(to, "%s[%llu,%llu]", between, (unsigned long long)profile_bound_ns(i),
			(unsigned long long)latency->buckets[i]);
		between = ",";
	}
	fputc(']', to);
}

static void print_row(const struct profile_data *data, const struct profile_row *row, FILE *to)
{
	const struct latency *total = &row->total;

	fputc('{', to);
	print_process(data, row->key.process, row->key.thread, to);
	fprintf(to, ",\"measure\":\"%s\"", measure_name(row->key.measure));
	if (row->key.call >= 0)
		fprintf(to, ",\"call\":\"%s\"", probes_call_name(row->key.call));
	if (row->key.measure == MEASURE_CALL && row->key.error)
		fprintf(to, ",\"errno\":\"%s\"", probes_error_name(row->key.error));
	if (row->key.measure == MEASURE_OFFCPU)
		fprintf(to, ",\"wait\":\"%s\"", probes_wait_name(row->key.wait));
	fprintf(to,
		",\"count\":%llu,\"total_ns\":%llu,\"max_ns\":%llu,"
		"\"p50_ns\":%llu,\"p95_ns\":%llu,\"p99_ns\":%llu",
		(unsigned long long)total->count, (unsigned long long)total->total_ns,
		(unsigned long long)total->max_ns, (unsigned long long)profile_quantile(total, 0.5),
		(unsigned long long)profile_quantile(total, 0.95),
		(unsigned long long)profile_quantile(total, 0.99));
	print_buckets(total, to);
	fputc('}', to);
}

static void print_count(const struct profile_data *data, const struct profile_count *count,
			FILE *to)
{
	static const char *const names[] = {
		[COUNT_RETRANSMIT] = "retransmit",
		[COUNT_RESET_SENT] = "reset_sent",
		[COUNT_RESET_RECEIVED] = "reset_received",
	};

	fputc('{', to);
	print_process(data, count->key.process, count->key.thread, to);
	if (count->key.what < COUNT_KINDS)
		fprintf(to, ",\"what\":\"%s\"", names[count->key.what]);
	fprintf(to, ",\"count\":%llu}", (unsigned long long)count->total);
}

void profile_json_print(const struct profile_data *data, FILE *to)
{
	fprintf(to, "{\"elapsed_ns\":%llu,\"measures\":[",
		(unsigned long long)(data->now_ns - data->begun_ns));
	for (size_t i = 0; i < data->row_count; i++) {
		fputs(i ? "," : "", to);
		print_row(data, data->rows[i], to);
	}
	fputs("],\"counts\":[", to);
	for (size_t i = 0; i < data->count_count; i++) {
		fputs(i ? "," : "", to);
		print_count(data, data->counts[i], to);
	}
	fputs("],\"lost\":{", to);
	for (int i = 0; i < LOST_REASONS; i++)
		fprintf(to, "%s\"%s\":%llu", i ? "," : "", probes_lost_name(i),
			(unsigned long long)data->lost[i]);
	fputs("}}\n", to);
}

/* ---- slow calls --------------------------------------------------------------------------- */

void profile_slow_print(const struct slow_call *call, FILE *to)
{
	char time[32], address[INET6_ADDRSTRLEN];

	fprintf(to, "%u %s %s", call->thread, probes_call_name(call->call),
		terminal_duration((int64_t)call->duration_ns, time, sizeof(time)));
	if (call->result < 0 && call->result >= -4095)
		fprintf(to, " %s", probes_error_name((int)-call->result));
	else
		fprintf(to, " = %lld", (long long)call->result);
	if (probes_file_name(call->mode)[0])
		fprintf(to, " on %s %d", probes_file_name(call->mode), (int)call->arguments[0]);
	if (call->family && call->port &&
	    inet_ntop(call->family, call->address, address, sizeof(address)))
		fprintf(to, " %s port %u", address, call->port);
	fputc('\n', to);
}
