/* repeats.c - the same statement again and again within one request: the N+1 of object mappers. */
#include "repeats.h"

#include <stdlib.h>
#include <string.h>

#define WAYS          4u /* places that a request may have in the table */
#define SETS          (REPEATS_PARENTS / WAYS)
#define EVENT_NAME    "tagalong.db.repeated_query"
#define COUNT_KEY     "tagalong.db.repeated_queries"
#define TEXT_BYTES    512
#define SUMMARY_BYTES 256
#define PLACE_BYTES   256

/* What is told of a shape; kept from the span that made it worth telling. */
struct sample {
	const char *system; /* a literal */
	const char *summary_key;
	char text[TEXT_BYTES];
	char summary[SUMMARY_BYTES];
	char function[PLACE_BYTES];
	char file[PLACE_BYTES];
	uint32_t line;
};

struct shape {
	uint64_t hash;
	uint64_t end_ns; /* of the latest one; Unix time */
	uint64_t total_ns;
	struct sample *sample; /* NULL: not often enough */
	uint32_t count;
};

struct parent {
	uint8_t trace_id[16];
	uint8_t span_id[8];
	uint64_t seen; /* 0: free */
	uint32_t shape_count;
	struct shape shapes[REPEATS_SHAPES];
};

struct repeats {
	const struct settings *settings;
	uint32_t used; /* requests that queries are remembered for */
	uint64_t seen; /* queries in all: the clock by which requests grow old */
	struct parent parents[REPEATS_PARENTS];
};

struct repeats *repeats_new(const struct settings *settings)
{
	struct repeats *repeats = settings->repeated_queries ? calloc(1, sizeof(*repeats)) : NULL;

	if (repeats)
		repeats->settings = settings;
	return repeats;
}

static void forget(struct repeats *repeats, struct parent *parent)
{
	for (uint32_t i = 0; i < parent->shape_count; i++)
		free(parent->shapes[i].sample);
	repeats->used -= parent->seen != 0;
	parent->shape_count = 0;
	parent->seen = 0;
}

void repeats_free(struct repeats *repeats)
{
	for (size_t i = 0; repeats && i < REPEATS_PARENTS; i++)
		forget(repeats, &repeats->parents[i]);
	free(repeats);
}

static struct parent *set_of(struct repeats *repeats, const uint8_t *span_id)
{
	return &repeats->parents[text_hash((struct text){(const char *)span_id, 8}) % SETS * WAYS];
}

/* NULL: it is not known. */
static struct parent *find_parent(struct repeats *repeats, const uint8_t *trace_id,
				  const uint8_t *span_id)
{
	struct parent *set = set_of(repeats, span_id);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].seen && memcmp(set[i].span_id, span_id, sizeof(set[i].span_id)) == 0 &&
		    memcmp(set[i].trace_id, trace_id, sizeof(set[i].trace_id)) == 0)
			return &set[i];
	return NULL;
}

static struct parent *new_parent(struct repeats *repeats, const uint8_t *trace_id,
				 const uint8_t *span_id)
{
	struct parent *set = set_of(repeats, span_id), *oldest = set;

	for (size_t i = 1; i < WAYS; i++)
		if (set[i].seen < oldest->seen)
			oldest = &set[i];
	forget(repeats, oldest);
	memcpy(oldest->trace_id, trace_id, sizeof(oldest->trace_id));
	memcpy(oldest->span_id, span_id, sizeof(oldest->span_id));
	return oldest;
}

/* NULL: there are too many already. */
static struct shape *shape_of(struct parent *parent, uint64_t hash)
{
	struct shape *shape = parent->shapes;

	for (; shape < parent->shapes + parent->shape_count; shape++)
		if (shape->hash == hash)
			return shape;
	if (parent->shape_count == REPEATS_SHAPES)
		return NULL;
	parent->shape_count++;
	memset(shape, 0, sizeof(*shape));
	shape->hash = hash;
	return shape;
}

/* ---- queries -------------------------------------------------------------------------------- */

static int is_sql(const struct record *record)
{
	return record->span.protocol == SPAN_POSTGRESQL || record->span.protocol == SPAN_MYSQL ||
	       record->span.protocol == SPAN_MARIADB;
}

/* What makes two queries the same; absent: it is none. */
static struct text shape_text(const struct record *record)
{
	if (record->span.kind != SPAN_CLIENT || record->span.protocol < SPAN_POSTGRESQL)
		return (struct text){NULL, 0};
	return record->field[is_sql(record) ? FIELD_QUERY_TEXT : FIELD_OPERATION];
}

/* The whole characters of a text that there is room for. */
static void keep(char *to, size_t room, struct text text)
{
	size_t size = text.at ? text.size : 0;

	if (size >= room)
		for (size = room - 1; size && ((unsigned char)text.at[size] & 0xc0) == 0x80; size--)
			;
	if (size)
		memcpy(to, text.at, size);
	to[size] = '\0';
}

static struct text of_span(const struct batch_span *span, const char *key)
{
	const struct attribute *found =
		attribute_find(span->attributes, span->attribute_count, key);

	return found ? found->text : (struct text){NULL, 0};
}

static struct sample *new_sample(const struct record *record, const struct batch_span *span)
{
	struct sample *sample = malloc(sizeof(*sample));

	if (!sample)
		return NULL;
	sample->system = of_span(span, "db.system.name").at;
	sample->summary_key = is_sql(record) ? "db.query.summary" : "db.operation.name";
	keep(sample->summary, sizeof(sample->summary), of_span(span, sample->summary_key));
	keep(sample->text, sizeof(sample->text), record->field[FIELD_QUERY_TEXT]);
	keep(sample->function, sizeof(sample->function), record->call.function);
	keep(sample->file, sizeof(sample->file), record->call.file);
	sample->line = record->call.line;
	return sample;
}

static void count(struct repeats *repeats, const struct record *record,
		  const struct batch_span *span, struct text text)
{
	static const uint8_t none[8];
	uint64_t hash = text_hash(text) + record->span.protocol;
	struct parent *parent;
	struct shape *shape;

	if (memcmp(span->parent_id, none, sizeof(none)) == 0)
		return;
	parent = find_parent(repeats, span->trace_id, span->parent_id);
	if (!parent) {
		parent = new_parent(repeats, span->trace_id, span->parent_id);
		repeats->used++;
	}
	parent->seen = ++repeats->seen;
	shape = shape_of(parent, hash);
	if (!shape || span->start_unix_ns < shape->end_ns)
		return;
	shape->count++;
	shape->end_ns = span->end_unix_ns;
	shape->total_ns += span->end_unix_ns - span->start_unix_ns;
	if (shape->count == repeats->settings->repeated_queries)
		shape->sample = new_sample(record, span);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void add_copy(struct attribute_list *list, const char *key, const char *string)
{
	size_t size = strlen(string);
	const char *copy = size ? arena_text(list->arena, string, size) : NULL;

	if (copy)
		attribute_add_text(list, key, (struct text){copy, (uint32_t)size});
}

static void add_event(const struct settings *settings, struct batch *batch,
		      const struct shape *shape, struct batch_span *span, struct batch_event *event)
{
	const struct sample *sample = shape->sample;
	struct attribute_list list;

	attribute_list_init(&list, &batch->arena, ATTRIBUTES_MAX, settings->attribute_length_limit);
	attribute_add_string(&list, "db.system.name", sample->system);
	add_copy(&list, sample->summary_key, sample->summary);
	add_copy(&list, "db.query.text", sample->text);
	attribute_add_number(&list, COUNT_KEY, shape->count);
	attribute_add_number(&list, "tagalong.db.repeated_us", (int64_t)(shape->total_ns / 1000));
	add_copy(&list, "code.function.name", sample->function);
	add_copy(&list, "code.file.path", sample->file);
	if (sample->line)
		attribute_add_number(&list, "code.line.number", sample->line);
	event->name = EVENT_NAME;
	event->time_unix_ns = shape->end_ns;
	event->attributes = attribute_list_copy(&list);
	event->attribute_count = (uint16_t)list.count;
	span->event_count += event->attributes != NULL;
}

static void add_total(const struct settings *settings, struct batch *batch, struct batch_span *span,
		      uint32_t total)
{
	size_t count = span->attribute_count;
	struct attribute *copy = NULL;

	if (count < settings->attribute_count_limit)
		copy = arena_take(&batch->arena, (count + 1) * sizeof(*copy));
	if (!copy) {
		span->attributes_dropped++;
		return;
	}
	memcpy(copy, span->attributes, count * sizeof(*copy));
	copy[count] = (struct attribute){
		.key = COUNT_KEY,
		.number = total,
		.type = ATTRIBUTE_NUMBER,
	};
	span->attributes = copy;
	span->attribute_count++;
}

static uint32_t settle(struct repeats *repeats, struct batch *batch, struct batch_span *span)
{
	struct parent *parent = find_parent(repeats, span->trace_id, span->span_id);
	struct batch_event *events = NULL;
	uint32_t total = 0;

	for (uint32_t i = 0; parent && i < parent->shape_count; i++) {
		const struct shape *shape = &parent->shapes[i];
		if (!shape->sample)
			continue;
		total += shape->count;
		if (!events)
			events = arena_take(&batch->arena, REPEATS_SHAPES * sizeof(*events));
		if (events)
			add_event(repeats->settings, batch, shape, span,
				  &events[span->event_count]);
	}
	span->events = events;
	if (total)
		add_total(repeats->settings, batch, span, total);
	if (parent)
		forget(repeats, parent);
	return total;
}

uint32_t repeats_visit(struct repeats *repeats, const struct record *record, struct batch *batch,
		       struct batch_span *span)
{
	struct text text;

	if (!repeats)
		return 0;
	if (record->span.kind == SPAN_SERVER)
		return repeats->used ? settle(repeats, batch, span) : 0;
	text = shape_text(record);
	if (text.size)
		count(repeats, record, span, text);
	return 0;
}
