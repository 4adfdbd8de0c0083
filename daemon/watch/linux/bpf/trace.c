/* SPDX-License-Identifier: MIT */
#include "daemon/watch/linux/bpf/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "common/err.h"
#include "common/kind.h"
#include "daemon/watch/linux/bpf/trace.skel.h"
#include "daemon/watch/linux/bpf/types.h"

_Static_assert((int)SPG_BPF_FLOCK == SPG_LOCK_FLOCK &&
		       (int)SPG_BPF_POSIX == SPG_LOCK_POSIX &&
		       (int)SPG_BPF_OFD == SPG_LOCK_OFD &&
		       (int)SPG_BPF_LEASE == SPG_LOCK_LEASE,
	"one set of numbers");

struct spg_trace {
	struct trace *programs; /* owns the maps, for as long as it all lasts */
	struct trace *anew;     /* the same, loaded again; NULL: not yet */
	unsigned types;         /* that were known when they were loaded */
	struct ring_buffer *ring;
	int (*on_lock)(void *user, const struct spg_bpf_lock *lock);
	void *user;
	int err; /* what on_lock returned */
};

void spg_trace_destroy(struct spg_trace *trace)
{
	if (!trace)
		return;
	ring_buffer__free(trace->ring);
	trace__destroy(trace->anew);
	trace__destroy(trace->programs);
	free(trace);
}

static int on_record(void *user, void *data, size_t size)
{
	struct spg_trace *trace = user;

	if (size < sizeof(struct spg_bpf_lock))
		return 0;
	trace->err = trace->on_lock(trace->user, data);
	return trace->err;
}

int spg_trace_create(struct spg_trace **ret, struct spg_bpf_reason *reason)
{
	int r = spg_bpf_preconditions(reason);
	struct spg_trace *trace;

	if (r < 0)
		return r;
	trace = calloc(1, sizeof(*trace));
	if (!trace)
		return SPG_ERR_NOMEM;
	trace->types = spg_bpf_types();
	trace->programs = trace__open();
	if (trace->programs) {
		trace->programs->bss->self = getpid();
		r = trace__load(trace->programs) < 0 ? -1 : 0;
	}
	if (!trace->programs || r < 0)
		r = spg_bpf_explain(reason, "loading the tracepoint programs", errno);
	else if (trace__attach(trace->programs) < 0)
		r = spg_bpf_explain(reason, "attaching to the tracepoints", errno);
	if (r == 0) {
		trace->ring =
			ring_buffer__new(bpf_map__fd(trace->programs->maps.records),
				on_record, trace, NULL);
		if (!trace->ring)
			r = spg_bpf_explain(
				reason, "mapping the ring of records", errno);
	}
	if (r < 0) {
		spg_trace_destroy(trace);
		return r;
	}
	*ret = trace;
	return 0;
}

/* Programs that go on with the maps of those before. NULL with errno. */
static struct trace *load_again(const struct trace *before)
{
	struct trace *anew = trace__open();
	const struct bpf_map *map;

	bpf_object__for_each_map(map, before->obj)
	{
		struct bpf_map *same = anew ? bpf_object__find_map_by_name(
						      anew->obj, bpf_map__name(map))
		                            : NULL;

		/* Of constants each has its own. */
		if (same && !strstr(bpf_map__name(map), ".rodata") &&
			bpf_map__reuse_fd(same, bpf_map__fd(map)) < 0)
			goto error;
	}
	if (!anew || trace__load(anew) < 0)
		goto error;
	return anew;

error:
	trace__destroy(anew);
	return NULL;
}

int spg_trace_refresh(struct spg_trace *trace, struct spg_bpf_reason *reason)
{
	unsigned types = spg_bpf_types();
	struct trace *anew;

	if (types == trace->types)
		return 0;
	anew = load_again(trace->programs);
	if (!anew)
		return spg_bpf_explain(
			reason, "loading the tracepoint programs again", errno);
	/* Nothing may be told twice. */
	trace__detach(trace->anew ? trace->anew : trace->programs);
	if (trace__attach(anew) < 0) {
		int errnum = errno;

		trace__destroy(anew);
		(void)trace__attach(trace->anew ? trace->anew : trace->programs);
		return spg_bpf_explain(
			reason, "attaching to the tracepoints again", errnum);
	}
	trace__destroy(trace->anew);
	trace->anew = anew;
	trace->types = types;
	return 1;
}

int spg_trace_watch(
	struct spg_trace *trace, const struct spg_bpf_inode_key *key, uint32_t slot)
{
	uint32_t bit = SPG_BPF_INODE_BIT(key->ino);

	if (bpf_map_update_elem(bpf_map__fd(trace->programs->maps.watched), key, &slot,
		    BPF_ANY) < 0)
		return SPG_ERR_LIMIT;
	/* Never taken back: a bit too many costs a look into the table. */
	(void)__atomic_fetch_or(&trace->programs->bss->filter[bit / 64],
		UINT64_C(1) << bit % 64, __ATOMIC_RELEASE);
	return 0;
}

void spg_trace_unwatch(struct spg_trace *trace, const struct spg_bpf_inode_key *key)
{
	(void)bpf_map_delete_elem(bpf_map__fd(trace->programs->maps.watched), key);
}

int spg_trace_poll_fd(const struct spg_trace *trace)
{
	return ring_buffer__epoll_fd(trace->ring);
}

void spg_trace_set_awake(struct spg_trace *trace, bool awake)
{
	__atomic_store_n(&trace->programs->bss->reader_awake, awake, __ATOMIC_SEQ_CST);
}

int spg_trace_read(struct spg_trace *trace,
	int (*on_lock)(void *user, const struct spg_bpf_lock *lock), void *user)
{
	int n;

	trace->on_lock = on_lock;
	trace->user = user;
	trace->err = 0;
	n = ring_buffer__consume(trace->ring);
	if (trace->err < 0)
		return trace->err;
	return n < 0 ? SPG_ERR_IO : n;
}

uint64_t spg_trace_dropped(const struct spg_trace *trace)
{
	return __atomic_load_n(&trace->programs->bss->dropped, __ATOMIC_RELAXED);
}

bool spg_trace_process(
	const struct spg_trace *trace, int32_t tgid, struct spg_bpf_process *ret)
{
	const uint32_t key = (uint32_t)tgid;

	return bpf_map_lookup_elem(
		       bpf_map__fd(trace->programs->maps.processes), &key, ret) == 0;
}
