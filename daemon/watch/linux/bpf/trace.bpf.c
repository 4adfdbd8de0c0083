/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What happens to locks and processes, from tracepoints (typed, "tp_btf"):
 *
 *   locks      of watched inodes only, to a ring buffer. The reader sleeps until
 *              the first record; while it is awake, and says so, records pile up
 *              for it without a wake-up each (kernel/bpf/ringbuf.c).
 *   processes  a table of who is who, kept for the last few thousand: whoever
 *              ended before an event about it was read is still in it.
 *
 * Tracepoints: include/trace/events/filelock.h, include/trace/events/sched.h.
 */
#include "daemon/watch/linux/bpf/kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "daemon/watch/linux/bpf/record.h"
#include "daemon/watch/linux/bpf/subvolume.h"

#define PATH_PARTS 32

char programs_license[] SEC("license") = "Dual MIT/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 19);
	__type(key, struct spg_bpf_inode_key);
	__type(value, __u32);
} watched SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 21);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32);
	__type(value, struct spg_bpf_process);
} processes SEC(".maps");

/* Too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct spg_bpf_process);
} scratch SEC(".maps");

/* Whose calls are not told: the daemon's. Closing a descriptor, even one opened with
 * O_PATH, releases POSIX locks that it does not have. */
__s32 self;
/* Set by the reader: it will look again by itself. */
bool reader_awake;
/* Bytes that wake it all the same. */
__u64 wake_at = 1 << 19;
/* Bit SPG_BPF_INODE_BIT() is set for every watched inode: most of what others lock
 * is left without a look into the table. */
__u64 filter[SPG_BPF_INODE_BITS / 64];
/* Records for which there was no room. */
__u64 dropped;

static __always_inline __u64 wake_up_or_not(void)
{
	if (!reader_awake)
		return BPF_RB_FORCE_WAKEUP;
	return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > wake_at
	               ? BPF_RB_FORCE_WAKEUP
	               : BPF_RB_NO_WAKEUP;
}

static __always_inline __u64 key_of(struct task_struct *task)
{
	if (!bpf_core_field_exists(struct pid, ino))
		return 0;
	return task->group_leader->thread_pid->ino;
}

static __always_inline struct spg_bpf_lock *begin_record(struct inode *inode)
{
	struct spg_bpf_inode_key key = {.ino = inode->i_ino};
	__u32 bit = SPG_BPF_INODE_BIT(key.ino);
	struct spg_bpf_lock *record;
	const __u32 *slot;
	__u32 number;

	if (!(filter[bit / 64] >> bit % 64 & 1))
		return NULL;
	key.sdev = inode->i_sb->s_dev;
	key.subvolume = subvolume_of(inode);
	key.generation = inode->i_generation;
	slot = bpf_map_lookup_elem(&watched, &key);
	if (!slot || (__s32)(bpf_get_current_pid_tgid() >> 32) == self)
		return NULL;
	/* At once: the element may be another inode's in a moment. */
	number = *slot;
	record = bpf_ringbuf_reserve(&records, sizeof(*record), 0);
	if (!record) {
		__sync_fetch_and_add(&dropped, 1);
		return NULL;
	}
	record->at_ns = bpf_ktime_get_ns();
	record->slot = number;
	record->tgid = (__s32)(bpf_get_current_pid_tgid() >> 32);
	record->key = key_of(bpf_get_current_task_btf());
	record->start = record->end = 0;
	record->result = 0;
	record->reserved[0] = record->reserved[1] = 0;
	return record;
}

static __always_inline void fill_core(
	struct spg_bpf_lock *record, struct file_lock_core *core)
{
	/* Closing releases OFD locks without saying that they are (fs/locks.c,
	 * locks_remove_file()); the owner does. */
	record->owner = (__u64)core->flc_owner;
	record->type = core->flc_type;
	record->kind = core->flc_flags & FL_OFDLCK ||
	                               (core->flc_flags & FL_POSIX &&
					       core->flc_owner == core->flc_file)
	                       ? SPG_BPF_OFD
	               : core->flc_flags & FL_FLOCK ? SPG_BPF_FLOCK
	               : core->flc_flags & FL_LEASE ? SPG_BPF_LEASE
	                                            : SPG_BPF_POSIX;
}

static __always_inline int on_lock(
	struct inode *inode, struct file_lock *lock, int result)
{
	struct spg_bpf_lock *record = inode && lock ? begin_record(inode) : NULL;

	if (!record)
		return 0;
	if (bpf_core_field_exists(struct file_lock, c)) {
		fill_core(record, &lock->c);
		record->start = lock->fl_start;
		record->end = lock->fl_end;
	} else {
		struct file_lock___flat *flat = (void *)lock;
		__u32 flags = BPF_CORE_READ(flat, fl_flags);

		record->owner = (__u64)BPF_CORE_READ(flat, fl_owner);
		record->type = BPF_CORE_READ(flat, fl_type);
		record->start = BPF_CORE_READ(flat, fl_start);
		record->end = BPF_CORE_READ(flat, fl_end);
		record->kind =
			flags & FL_OFDLCK ||
					(flags & FL_POSIX &&
						record->owner == (__u64)BPF_CORE_READ(
									 flat, fl_file))
				? SPG_BPF_OFD
			: flags & FL_FLOCK ? SPG_BPF_FLOCK
					   : SPG_BPF_POSIX;
	}
	record->result = result;
	bpf_ringbuf_submit(record, wake_up_or_not());
	return 0;
}

SEC("tp_btf/posix_lock_inode")
int BPF_PROG(on_posix_lock, struct inode *inode, struct file_lock *lock, int result)
{
	return on_lock(inode, lock, result);
}

SEC("tp_btf/flock_lock_inode")
int BPF_PROG(on_flock, struct inode *inode, struct file_lock *lock, int result)
{
	return on_lock(inode, lock, result);
}

/*
 * The tracepoint comes before the decision, so decide alike: a write lease needs
 * that nobody else has the file open, a read lease that nobody writes (fs/locks.c,
 * check_conflicting_open()).
 */
static __always_inline int will_refuse(
	struct inode *inode, struct file *file, __u32 type)
{
	int readers = BPF_CORE_READ(inode, i_readcount.counter);
	int writers = BPF_CORE_READ(inode, i_writecount.counter);
	__u32 mode = BPF_CORE_READ(file, f_mode);
	int own_writer = (mode & FMODE_WRITE) != 0;
	int own_reader = (mode & (FMODE_READ | FMODE_WRITE)) == FMODE_READ;

	if (type == F_RDLCK)
		return writers > 0;
	return writers != own_writer || readers != own_reader;
}

static __always_inline int on_lease(struct inode *inode, void *lease, bool given)
{
	struct spg_bpf_lock *record = inode && lease ? begin_record(inode) : NULL;
	struct file *file;

	if (!record)
		return 0;
	if (bpf_core_type_exists(struct file_lease)) {
		struct file_lease *typed = lease;

		file = BPF_CORE_READ(typed, c.flc_file);
		record->owner = (__u64)BPF_CORE_READ(typed, c.flc_owner);
		record->type = BPF_CORE_READ(typed, c.flc_type);
	} else {
		struct file_lock___flat *flat = lease;

		file = BPF_CORE_READ(flat, fl_file);
		record->owner = (__u64)BPF_CORE_READ(flat, fl_owner);
		record->type = BPF_CORE_READ(flat, fl_type);
	}
	record->kind = SPG_BPF_LEASE;
	record->end = 0x7fffffffffffffff;
	if (given)
		record->result = will_refuse(inode, file, record->type) ? -EAGAIN : 0;
	else
		record->type = F_UNLCK;
	bpf_ringbuf_submit(record, wake_up_or_not());
	return 0;
}

SEC("tp_btf/generic_add_lease")
int BPF_PROG(on_add_lease, struct inode *inode, void *lease)
{
	return on_lease(inode, lease, true);
}

SEC("tp_btf/generic_delete_lease")
int BPF_PROG(on_delete_lease, struct inode *inode, void *lease)
{
	return on_lease(inode, lease, false);
}

/* A path is built from its end. */
struct path_walk {
	struct spg_bpf_process *out;
	struct dentry *dentry;
	struct vfsmount *mnt;
	__u32 at;
	bool ended, cut;
};

static long add_part(__u32 i, struct path_walk *walk)
{
	struct spg_bpf_process *out = walk->out;
	struct dentry *dentry = walk->dentry;
	struct vfsmount *mnt = walk->mnt;
	const unsigned char *name;
	__u32 len, at;

	if (dentry == BPF_CORE_READ(mnt, mnt_root)) {
		struct mount *m =
			(void *)mnt - bpf_core_field_offset(struct mount, mnt);
		struct mount *parent = BPF_CORE_READ(m, mnt_parent);

		if (parent == m) {
			walk->ended = true;
			return 1;
		}
		walk->dentry = BPF_CORE_READ(m, mnt_mountpoint);
		walk->mnt = (void *)parent + bpf_core_field_offset(struct mount, mnt);
		return 0;
	}
	len = BPF_CORE_READ(dentry, d_name.len);
	name = BPF_CORE_READ(dentry, d_name.name);
	at = walk->at;
	if (len >= SPG_BPF_EXE_MAX || at > SPG_BPF_EXE_MAX || at < len + 1) {
		walk->cut = true;
		return 1;
	}
	at -= len;
	/* The masks tell the verifier what the comparisons above said. */
	bpf_probe_read_kernel(&out->exe[at & (SPG_BPF_EXE_MAX - 1)],
		len & (SPG_BPF_EXE_MAX - 1), name);
	at--;
	out->exe[at & (SPG_BPF_EXE_MAX - 1)] = '/';
	walk->at = at;
	walk->dentry = BPF_CORE_READ(dentry, d_parent);
	return 0;
}

static __always_inline void note_process(struct task_struct *task)
{
	__u32 zero = 0, tgid = (__u32)task->tgid;
	struct spg_bpf_process *out = bpf_map_lookup_elem(&scratch, &zero);
	struct path_walk walk = {.out = out, .at = SPG_BPF_EXE_MAX};
	struct file *exe = BPF_CORE_READ(task, mm, exe_file);

	if (!out)
		return;
	out->start_boottime = BPF_CORE_READ(task, group_leader, start_boottime);
	out->key = key_of(task);
	out->uid = BPF_CORE_READ(task, cred, euid.val);
	out->ppid = BPF_CORE_READ(task, real_parent, tgid);
	BPF_CORE_READ_INTO(&out->comm, task, comm);
	out->exe_at = SPG_BPF_EXE_MAX;
	out->exe_whole = 0;
	out->ended = 0;
	out->wait_status = 0;
	if (exe) {
		walk.dentry = BPF_CORE_READ(exe, f_path.dentry);
		walk.mnt = BPF_CORE_READ(exe, f_path.mnt);
		bpf_loop(PATH_PARTS, add_part, &walk, 0);
		out->exe_at = walk.at;
		out->exe_whole = walk.ended && !walk.cut;
	}
	bpf_map_update_elem(&processes, &tgid, out, BPF_ANY);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if (child->pid == child->tgid)
		note_process(child);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	note_process(task);
	return 0;
}

/* A thread. What ends all of them counts (do_group_exit()); else what the first one ends
 * with. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 tgid = (__u32)task->tgid;
	struct spg_bpf_process *known = bpf_map_lookup_elem(&processes, &tgid);
	bool all = task->signal->flags & SIGNAL_GROUP_EXIT;

	if (!known || (!all && task->pid != task->tgid))
		return 0;
	known->wait_status =
		(__u32)(all ? task->signal->group_exit_code : task->exit_code);
	known->ended = 1;
	return 0;
}
