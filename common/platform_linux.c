/* SPDX-License-Identifier: MIT */
#include "common/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "common/err.h"

#define GROUPS_MAX    65536      /* of one user: NGROUPS_MAX of limits.h */
#define OVERLAY_MAGIC 0x794c7630 /* linux/magic.h */
#define COARSE_S      2          /* FAT tells no two changes within it apart */

int spg_platform_rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return SPG_ERR_EXISTS;
	return errno == EINVAL || errno == ENOSYS ? SPG_ERR_UNSUPPORTED
	                                          : spg_err_from_errno(errno);
}

int spg_platform_lock(int fd)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? SPG_ERR_BUSY : spg_err_from_errno(errno);
}

/* The other way round, reading and writing go on to fail: a report that nobody can get
 * is not to look as if it had been delivered. */
int spg_platform_fill_descriptors(void)
{
	static const int flags[] = {[STDIN_FILENO] = O_WRONLY,
		[STDOUT_FILENO] = O_RDONLY,
		[STDERR_FILENO] = O_RDONLY};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		/* The lowest free number, open(2): those below are taken. */
		if (open("/dev/null", flags[fd]) != fd)
			return SPG_ERR_IO;
	}
	return 0;
}

int spg_platform_arguments(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

bool spg_platform_has_double_quotes(void)
{
	return false;
}

void spg_platform_separators(char *path)
{
	(void)path;
}

int spg_platform_open_child(int pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

int spg_platform_peer(intptr_t connection, struct spg_peer *ret)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt((int)connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return SPG_ERR_IO;
	*ret = (struct spg_peer){.uid = peer.uid, .gid = peer.gid, .pid = peer.pid};
	return 0;
}

bool spg_platform_confirms(intptr_t connection, const struct spg_peer *peer)
{
	(void)connection;
	(void)peer;
	return true; /* SO_PEERCRED is as it was at connect(2) */
}

bool spg_platform_is_gone(intptr_t connection)
{
	struct pollfd fd = {.fd = (int)connection, .events = 0};

	return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLHUP | POLLERR));
}

void spg_platform_ignore_broken_pipes(void)
{
	struct sigaction action;

	if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
		memset(&action, 0, sizeof(action));
		action.sa_handler = SIG_IGN;
		sigaction(SIGPIPE, &action, NULL);
	}
}

static void (*after)(void);

static void on_alarm(int number)
{
	(void)number;
	after();
}

void spg_platform_after(unsigned seconds, void (*late)(void))
{
	struct sigaction action = {.sa_handler = on_alarm};

	after = late;
	sigaction(SIGALRM, &action, NULL);
	alarm(seconds);
}

uint64_t spg_platform_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return 0;
	return limit.rlim_cur;
}

size_t spg_platform_root(const char *path)
{
	return path[0] == '/';
}

/* wcwidth(3) has -1 for what is not printable, or not known to the locale. */
unsigned spg_platform_columns(uint32_t code)
{
	int width = wcwidth((wchar_t)code);

	return width < 0 ? 1 : (unsigned)width;
}

static int add_groups(struct spg_platform_user *ret, const struct passwd *user)
{
	int n = GROUPS_MAX;

	ret->groups = calloc(GROUPS_MAX, sizeof(*ret->groups));
	if (!ret->groups)
		return SPG_ERR_NOMEM;
	if (getgrouplist(user->pw_name, user->pw_gid, ret->groups, &n) < 0)
		n = GROUPS_MAX;
	ret->n_groups = (size_t)n;
	return 0;
}

int spg_platform_find_user(const char *name, struct spg_platform_user *ret)
{
	const struct passwd *user = getpwnam(name);
	int r;

	if (!user)
		return SPG_ERR_NOT_FOUND;
	*ret = (struct spg_platform_user){
		.name = strdup(user->pw_name), .id = user->pw_uid};
	r = ret->name ? add_groups(ret, user) : SPG_ERR_NOMEM;
	if (r < 0)
		spg_platform_user_finish(ret);
	return r;
}

void spg_platform_user_finish(struct spg_platform_user *user)
{
	free(user->name);
	free(user->groups);
	*user = (struct spg_platform_user){.name = NULL};
}

/* An address as the kernel's tables of sockets have it: IPv4 that came in over IPv6 is
 * IPv4 for the other end. */
static bool read_end(const struct sockaddr_storage *end, uint8_t *ret_family,
	__be16 *ret_port, __be32 ret_address[4])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)end;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)end;

	*ret_family = AF_INET;
	*ret_port = in->sin_port; /* at the same place in both */
	if (end->ss_family == AF_INET) {
		ret_address[0] = in->sin_addr.s_addr;
	} else if (end->ss_family != AF_INET6) {
		return false;
	} else if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memcpy(ret_address, in6->sin6_addr.s6_addr + 12, sizeof(*ret_address));
	} else {
		*ret_family = AF_INET6;
		memcpy(ret_address, &in6->sin6_addr, sizeof(in6->sin6_addr));
	}
	return true;
}

/* What is peer here is its own address there. */
static bool describe_peer(int fd, struct inet_diag_req_v2 *ret)
{
	struct sockaddr_storage peer, own;
	socklen_t peer_size = sizeof(peer), own_size = sizeof(own);

	if (getpeername(fd, (struct sockaddr *)&peer, &peer_size) < 0 ||
		getsockname(fd, (struct sockaddr *)&own, &own_size) < 0)
		return false;
	ret->sdiag_protocol = IPPROTO_TCP;
	ret->idiag_states = UINT32_MAX;
	ret->id.idiag_cookie[0] = ret->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return read_end(&own, &ret->sdiag_family, &ret->id.idiag_dport,
		       ret->id.idiag_dst) &&
	       read_end(&peer, &ret->sdiag_family, &ret->id.idiag_sport,
		       ret->id.idiag_src);
}

/* The answer is there when send(2) returns: sock_diag_rcv() of net/core/sock_diag.c. */
static int ask_for_user(
	int netlink, const struct inet_diag_req_v2 *wanted, uint32_t *ret)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 wanted;
	} question = {.header = {.nlmsg_len = sizeof(question),
			      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			      .nlmsg_flags = NLM_F_REQUEST},
		.wanted = *wanted};
	struct {
		struct nlmsghdr header;
		union {
			struct inet_diag_msg found;
			struct nlmsgerr error;
			char rest[512]; /* attributes */
		} u;
	} answer;
	ssize_t n;

	if (send(netlink, &question, sizeof(question), 0) < 0)
		return SPG_ERR_IO;
	n = recv(netlink, &answer, sizeof(answer), MSG_DONTWAIT);
	/* Who listens there instead has no other end. Who has closed it has no inode, and
	 * in older kernels is root (sock_i_uid() of net/core/sock.c). */
	if (n < (ssize_t)(sizeof(answer.header) + sizeof(answer.u.found)) ||
		answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		answer.u.found.id.idiag_dport != wanted->id.idiag_dport ||
		answer.u.found.idiag_inode == 0)
		return SPG_ERR_NOT_FOUND;
	*ret = answer.u.found.idiag_uid;
	return 0;
}

int spg_platform_tcp_user(int fd, uint32_t *ret)
{
	struct inet_diag_req_v2 wanted = {.sdiag_family = AF_UNSPEC};
	int netlink, r;

	if (!describe_peer(fd, &wanted))
		return SPG_ERR_NOT_FOUND;
	netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (netlink < 0)
		return SPG_ERR_IO;
	r = ask_for_user(netlink, &wanted, ret);
	close(netlink);
	return r;
}

/* A connection to itself at @listener: its other end is ours. */
static bool finds_itself(int listener)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *at = (struct sockaddr *)&address;
	socklen_t size = sizeof(address);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), accepted = -1;
	uint32_t uid;
	bool found;

	/* On the loopback both ends are there when the first returns. */
	if (client >= 0 && bind(listener, at, size) == 0 && listen(listener, 1) == 0 &&
		getsockname(listener, at, &size) == 0 && connect(client, at, size) == 0)
		accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	found = accepted >= 0 && spg_platform_tcp_user(accepted, &uid) == 0 &&
	        uid == geteuid();
	if (accepted >= 0)
		close(accepted);
	if (client >= 0)
		close(client);
	return found;
}

bool spg_platform_knows_tcp_users(void)
{
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool found = listener >= 0 && finds_itself(listener);

	if (listener >= 0)
		close(listener);
	return found;
}

/* The fourth word of "stat", proc_pid_stat(5). The second, the name, may have any
 * characters: its last parenthesis counts. */
static int32_t parent_of(int32_t pid)
{
	char path[32], text[512];
	const char *end;
	int32_t parent = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
		return 0;
	return parent;
}

size_t spg_platform_lineage(int32_t pid, int32_t *ret, size_t max)
{
	size_t n = 0;

	for (; pid > 1 && n < max; pid = parent_of(pid))
		ret[n++] = pid;
	return n;
}

void spg_platform_release_memory(void)
{
	(void)malloc_trim(0);
}

/* Would another change, now, have another time? */
static bool is_past(struct timespec changed)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME_COARSE, &now) < 0)
		return false;
	/* Some filesystems keep whole seconds only. */
	if (changed.tv_nsec == 0)
		return now.tv_sec > changed.tv_sec + COARSE_S;
	return now.tv_sec > changed.tv_sec ||
	       (now.tv_sec == changed.tv_sec && now.tv_nsec > changed.tv_nsec);
}

enum spg_times spg_platform_times(int fd)
{
	struct statfs fs;
	struct stat st;

	/* The kernel gives a read lease while nobody can write: it counts the open files,
	 * and a mapping has one (fs/locks.c, check_conflicting_open()). */
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN ? SPG_TIMES_WRITTEN : SPG_TIMES_UNSURE;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK);
	/* Of an overlay, that of a mapping is the one below. */
	if (fstatfs(fd, &fs) < 0 || (unsigned long)fs.f_type == OVERLAY_MAGIC ||
		fstat(fd, &st) < 0)
		return SPG_TIMES_UNSURE;
	return is_past(st.st_ctim) ? SPG_TIMES_TELL : SPG_TIMES_UNSURE;
}
