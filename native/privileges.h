/*
 * Becoming the task: the one place where a process takes its cgroup, namespaces, limits, user, capabilities and filter.
 * The main process, every exec session and the verifier go through it, so none of them can differ.
 * Two halves, because entering a pid namespace only counts for a child: `place_self`, (fork), `drop_to`.
 */
#ifndef DROVER_PRIVILEGES_H
#define DROVER_PRIVILEGES_H
#include "base.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { F_DIR = 1, F_LAUNCHER, F_ARGV, F_ENV, F_CWD, F_UID, F_GID, F_GROUP, F_RLIMIT, F_OOM_SCORE_ADJ, F_UMASK, F_NO_NEW_PRIVS,
  F_CAPABILITIES, F_SECCOMP, F_JOIN_CGROUP, F_JOIN_NETWORK, F_PATH = 43, F_PROCESSOR };

struct identity {
  int has_uid, has_gid, has_caps, no_new_privs, oom_score_adj;
  uid_t uid;
  gid_t gid;
  mode_t umask;
  int group_count, rlimit_count, cgroup_count;
  gid_t groups[64];
  struct { u32 resource; struct rlimit limit; } rlimits[16];
  const char *cgroups[16];
  cpu_set_t processors;
  struct { u8 access; const char *path; } paths[128];
  int path_count;
  const char *network, *users, *cwd;
  u64 caps;
  const u8 *seccomp;
  u32 seccomp_len;
};

/* Namespaces to enter: descriptors, opened while still privileged; -1 where the task shares ours. */
struct place {
  int user, owner, mnt, pid, net, ipc, uts, cgroup, root;
};

struct failure {
  const char *stage;
  int error;
};

static inline void identity_init(struct identity *id) {
  memset(id, 0, sizeof *id);
  id->umask = 022;
}

/* Takes one field into the identity: 1 taken, 0 not one of ours, -1 wrong. */
static inline int identity_field(struct identity *id, u8 tag, const u8 *v, u32 len) {
  switch (tag) {
    case F_CWD: id->cwd = field_string(v, len); return id->cwd ? 1 : -1;
    case F_UID: if (len != 4) return -1; id->uid = be32(v); id->has_uid = 1; return 1;
    case F_GID: if (len != 4) return -1; id->gid = be32(v); id->has_gid = 1; return 1;
    case F_GROUP:
      if (len != 4 || id->group_count == (int)COUNT(id->groups)) return -1;
      id->groups[id->group_count++] = be32(v);
      return 1;
    case F_RLIMIT:
      if (len != 20 || id->rlimit_count == (int)COUNT(id->rlimits)) return -1;
      id->rlimits[id->rlimit_count].resource = be32(v);
      id->rlimits[id->rlimit_count].limit.rlim_cur = be64(v + 4);
      id->rlimits[id->rlimit_count++].limit.rlim_max = be64(v + 12);
      return 1;
    case F_OOM_SCORE_ADJ: if (len != 4) return -1; id->oom_score_adj = (int)be32(v); return 1;
    case F_UMASK: if (len != 4) return -1; id->umask = be32(v) & 0777; return 1;
    case F_NO_NEW_PRIVS: if (len != 1) return -1; id->no_new_privs = v[0]; return 1;
    case F_CAPABILITIES: if (len != 8) return -1; id->caps = be64(v); id->has_caps = 1; return 1;
    case F_SECCOMP:
      if (len == 0 || len > 32768 || len % sizeof(struct sock_filter)) return -1;
      id->seccomp = v;
      id->seccomp_len = len;
      return 1;
    case F_JOIN_CGROUP:
      if (id->cgroup_count == (int)COUNT(id->cgroups)) return -1;
      id->cgroups[id->cgroup_count] = field_string(v, len);
      return id->cgroups[id->cgroup_count++] ? 1 : -1;
    case F_PATH:
      if (len < 2 || v[0] < '0' || v[0] > '2' || id->path_count == (int)COUNT(id->paths)) return -1;
      id->paths[id->path_count].access = v[0] - '0';
      id->paths[id->path_count].path = field_string(v + 1, len - 1);
      return id->paths[id->path_count++].path ? 1 : -1;
    case F_PROCESSOR: if (len != 4 || be32(v) >= CPU_SETSIZE) return -1; CPU_SET(be32(v), &id->processors); return 1;
    case F_JOIN_NETWORK: id->network = field_string(v, len); return id->network ? 1 : -1;
    default: return 0;
  }
}

static inline int fail(struct failure *f, const char *stage) {
  f->stage = stage;
  f->error = errno;
  return -1;
}

static inline int write_oom_score_adj(int value) {
  char digits[16];
  struct text t = {digits, 0, sizeof digits - 1, 0};
  text_int(&t, value);
  digits[t.len] = 0;
  return write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", digits);
}

/* Groups, then gid, then uid. What already is as wanted is left alone, so an agent without privileges can start tasks of its own. */
static inline int take_user(const struct identity *id, struct failure *f) {
  if (!id->has_uid && !id->has_gid) return 0;
  uid_t r, e, s;
  gid_t rg, eg, sg;
  getresuid(&r, &e, &s);
  getresgid(&rg, &eg, &sg);
  int same_uid = !id->has_uid || (r == id->uid && e == id->uid && s == id->uid);
  int same_gid = !id->has_gid || (rg == id->gid && eg == id->gid && sg == id->gid);
  if (setgroups((size_t)id->group_count, id->groups) && !(errno == EPERM && same_uid && same_gid && e != 0)) return fail(f, "setgroups");
  if (!same_gid && setresgid(id->gid, id->gid, id->gid)) return fail(f, "setgid");
  if (!same_uid) {
    if (id->has_caps && id->caps) prctl(PR_SET_KEEPCAPS, 1);
    if (setresuid(id->uid, id->uid, id->uid)) return fail(f, "setuid");
  }
  return 0;
}

static inline void drop_bounding(const struct identity *id) {
  int has;
  for (int cap = 0; id->has_caps && cap < 64 && (has = prctl(PR_CAPBSET_READ, cap)) >= 0; cap++)
    if (has && !(id->caps >> cap & 1)) prctl(PR_CAPBSET_DROP, cap);
}

/* All five sets. Dropping from the bounding set needs a privilege; who lacks it has the other four, and the verifier reports the fifth. */
static inline int take_capabilities(const struct identity *id, struct failure *f) {
  if (!id->has_caps) return 0;
  drop_bounding(id);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++) {
    u32 part = (u32)(id->caps >> (32 * i));
    data[i].effective = data[i].permitted = data[i].inheritable = part;
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capset, &header, data)) return fail(f, "capset");
  for (int cap = 0; cap < 64; cap++)
    if (id->caps >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0)) return fail(f, "ambient capabilities");
  return 0;
}

static inline int enter(int fd, int type, const char *stage, struct failure *f) {
  return fd >= 0 && setns(fd, type) ? fail(f, stage) : 0;
}

/* Opens the group's file of that name in one of the task's cgroups. */
static inline int open_in_cgroup(const char *group, const char *file, int flags) {
  char path[4096];
  struct text t = {path, 0, sizeof path - 1, 0};
  text_str(&t, group);
  text_str(&t, "/");
  text_str(&t, file);
  path[t.len] = 0;
  errno = ENAMETOOLONG;
  return t.full ? -1 : open(path, flags | O_CLOEXEC);
}

/*
 * A fork whose child is born in the task's v2 cgroup, and whether it was. Moving a process there stops all forks and exits of the host for
 * a grace period of the kernel: 10 ms and more.
 */
static int born_in_cgroup;

static inline pid_t fork_in_cgroup(const struct identity *id) {
  struct clone_args how = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD};
  /* The last one, as a rule: the agent lists v1's before. */
  for (int i = id->cgroup_count - 1; i >= 0; i--) {
    int events = open_in_cgroup(id->cgroups[i], "cgroup.events", O_RDONLY), group = events < 0 ? -1 : open(id->cgroups[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (events >= 0) close(events);
    if (group < 0) continue;
    how.cgroup = (u64)group;
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    born_in_cgroup = pid == 0;
    close(group);
    if (pid >= 0) return pid;
  }
  return fork();
}

/* v1 takes a single thread that moves itself without that pause, by another file. */
static inline int join_cgroup(const char *group) {
  int tasks = open_in_cgroup(group, "tasks", O_WRONLY);
  if (tasks < 0 && errno == ENOENT && born_in_cgroup) return 0;
  int fd = tasks < 0 && errno == ENOENT ? open_in_cgroup(group, "cgroup.procs", O_WRONLY) : tasks;
  int bad = fd < 0 || write_all(fd, "0", 1);
  if (fd >= 0) close(fd);
  return bad ? -1 : 0;
}

/* A user namespace that root made, as an OCI runtime does: there the task's own uid may enter nothing. */
static inline int made_by_root(int user) {
  uid_t owner = (uid_t)-1;
  return user >= 0 && geteuid() == 0 && !ioctl(user, NS_GET_OWNER_UID, &owner) && owner == 0;
}

/* The task's host ids, without losing what entering its user namespace takes; that namespace then gives a set of its own. */
static inline int take_user_keeping_capabilities(const struct identity *id, struct failure *f) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  prctl(PR_SET_KEEPCAPS, 1);
  if (take_user(id, f)) return -1;
  if (syscall(SYS_capget, &header, data)) return fail(f, "capget");
  for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted;
  return syscall(SYS_capset, &header, data) ? fail(f, "capset") : 0;
}

/* This user's ids before it entered any namespace. */
static uid_t usual_uid;
static gid_t usual_gid;

/* The user namespace that an ordinary user's network belongs to; root's needs none. 1: entered. */
static inline int join_owner(int network, struct failure *f) {
  int user = geteuid() == 0 ? -1 : ioctl(network, NS_GET_USERNS), bad;
  if (user < 0) return 0;
  usual_uid = geteuid();
  usual_gid = getegid();
  bad = setns(user, CLONE_NEWUSER);
  close(user);
  return bad ? fail(f, "join the network's user namespace") : 1;
}

static inline int join_network(const char *path, int *owned, struct failure *f) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(f, "join network");
  if ((*owned = join_owner(fd, f)) < 0) return -1;
  if (setns(fd, CLONE_NEWNET)) return fail(f, "join network");
  close(fd);
  return 0;
}

static inline int write_id_map(const char *path, u32 inside, u32 outside) {
  char line[40];
  struct text t = {line, 0, sizeof line - 1, 0};
  text_u64(&t, inside);
  text_str(&t, " ");
  text_u64(&t, outside);
  text_str(&t, " 1");
  line[t.len] = 0;
  return write_file_at(AT_FDCWD, path, line);
}

/* A user namespace below the one we are in, where this user has its usual ids: it has no rights over what belongs to the upper one. */
static inline int own_user_namespace(struct failure *f) {
  uid_t uid = geteuid();
  gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER)) return fail(f, "unshare user namespace");
  write_file_at(AT_FDCWD, "/proc/self/setgroups", "deny");
  return write_id_map("/proc/self/uid_map", usual_uid, uid) || write_id_map("/proc/self/gid_map", usual_gid, gid) ? fail(f, "map user namespace") : 0;
}

/*
 * The user namespace in which the record's ids are meant: where an ordinary user's subordinate ones are. What already runs is in one below it.
 */
static inline int join_users(const struct identity *id, const struct place *place, struct failure *f) {
  if (!id->users) return 0;
  int fd = place ? ioctl(place->owner >= 0 ? place->owner : place->user, NS_GET_PARENT) : open(id->users, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWUSER)) return fail(f, "join the user namespace of the task's ids");
  close(fd);
  return 0;
}

/*
 * First half: session, cgroups, out-of-memory score, processors, namespaces.
 * A user namespace of the task's is entered as its owner, which is the task's host uid; so the user is taken before, where the ids still
 * mean what the record says.
 */
static inline int place_self(const struct identity *id, const struct place *place, struct failure *f) {
  for (int i = 0; i < id->cgroup_count; i++)
    if (join_cgroup(id->cgroups[i])) return fail(f, "join cgroup");
  /* Only raising is always allowed; a value below ours that we may not set is no reason to fail a start. */
  write_oom_score_adj(id->oom_score_adj);
  /* Where processors are that we may not use, the task has ours: whoever started it sees that. */
  if (CPU_COUNT(&id->processors)) sched_setaffinity(0, sizeof id->processors, &id->processors);
  int last = place && made_by_root(place->user), owned = 0;
  if (join_users(id, place, f)) return -1;
  if (id->network && join_network(id->network, &owned, f)) return -1;
  /* Who owns the network must not be who runs in it. */
  if (!place) return owned ? own_user_namespace(f) : 0;
  /* From here on processes of the task may see us: they must not trace us, nor reach what we hold open. execve undoes it. */
  prctl(PR_SET_DUMPABLE, 0);
  if (place->user >= 0 && !last) {
    drop_bounding(id);
    /* There the ids have other numbers; they are the ones that were wanted, for no others can be had. */
    if (!owned && take_user(id, f)) return -1;
    if (place->owner >= 0 && enter(place->owner, CLONE_NEWUSER, "join owning user namespace", f)) return -1;
    if (place->owner < 0 && enter(place->user, CLONE_NEWUSER, "join user namespace", f)) return -1;
  }
  if (enter(place->cgroup, CLONE_NEWCGROUP, "join cgroup namespace", f) || enter(place->ipc, CLONE_NEWIPC, "join ipc namespace", f) ||
      enter(place->uts, CLONE_NEWUTS, "join uts namespace", f) || enter(place->net, CLONE_NEWNET, "join network namespace", f) ||
      enter(place->pid, CLONE_NEWPID, "join pid namespace", f) || enter(place->mnt, CLONE_NEWNS, "join mount namespace", f))
    return -1;
  if (place->root >= 0) {
    struct stat a, b;
    if (!fstat(place->root, &a) && !stat("/", &b) && (a.st_dev != b.st_dev || a.st_ino != b.st_ino) &&
        (fchdir(place->root) || chroot(".")))
      return fail(f, "enter root");
  }
  if (last && take_user_keeping_capabilities(id, f)) return -1;
  if ((last || (place->user >= 0 && place->owner >= 0)) && enter(place->user, CLONE_NEWUSER, "join user namespace", f)) return -1;
  return 0;
}

/* Every disposition default, nothing blocked: what is ignored here would stay ignored in the task. */
static inline void default_signals(void) {
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigset_t none;
  for (int sig = 1; sig < 65; sig++) sigaction(sig, &standard, NULL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static inline int take_filter(const struct identity *id, struct failure *f) {
  if (!id->seccomp) return 0;
  struct sock_fprog program = {(unsigned short)(id->seccomp_len / sizeof(struct sock_filter)), (struct sock_filter *)id->seccomp};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) ? fail(f, "seccomp") : 0;
}

static inline int may_list_root(void) {
  int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/*
 * Landlock: of all files only those listed, and what lies below them: to read and execute (0), to use and not to add to (1), everything (2).
 * What is not there cannot be allowed, and stays refused. The one proof there is comes from inside: what was allowed before is refused now.
 * Source: landlock(7).
 */
static inline int confine(const struct identity *id, struct failure *f) {
  enum { READ = 1 | 4 | 8, MAKE = (1 << 13) - 1, MOVE = 1 << 13, CUT = 1 << 14, CONTROL = 1 << 15, OF_FILES = 1 | 2 | 4 | CUT | CONTROL };
  static const u64 access[] = {READ, READ | 2 | CUT | CONTROL, MAKE | MOVE | CUT | CONTROL};
  if (!id->path_count) return 0;
  int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
  struct { u64 files, ports, scopes; } handled = {MAKE | MOVE | (abi >= 3 ? CUT : 0) | (abi >= 5 ? CONTROL : 0), 0, abi >= 6};
  /* The first version lets nothing be moved between directories at all. */
  errno = abi < 0 ? errno : ENOTSUP;
  int rules = abi < 2 ? -1 : (int)syscall(SYS_landlock_create_ruleset, &handled, abi >= 6 ? 24 : abi >= 4 ? 16 : 8, 0);
  if (rules < 0 || !may_list_root()) return fail(f, "landlock");
  for (int i = 0; i < id->path_count; i++) {
    struct { u64 access; int at; } __attribute__((packed)) rule = {access[id->paths[i].access] & handled.files, open(id->paths[i].path, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (rule.at < 0) {
      rule.access &= OF_FILES;
      rule.at = open(id->paths[i].path, O_PATH | O_CLOEXEC);
    }
    if (rule.at < 0) continue;
    if (syscall(SYS_landlock_add_rule, rules, 1, &rule, 0)) return fail(f, "landlock");
    close(rule.at);
  }
  if (syscall(SYS_landlock_restrict_self, rules, 0)) return fail(f, "landlock");
  close(rules);
  errno = EPERM;
  return may_list_root() ? fail(f, "landlock lets what it should not") : 0;
}

/* Second half: limits, user, capabilities, dispositions, directory, files, filter. What comes after must be execve. */
static inline int drop_to(const struct identity *id, int user_taken, struct failure *f) {
  for (int i = 0; i < id->rlimit_count; i++)
    if (setrlimit((int)id->rlimits[i].resource, &id->rlimits[i].limit)) return fail(f, "setrlimit");
  umask(id->umask);
  if (!user_taken) {
    drop_bounding(id);
    if (take_user(id, f)) return -1;
  }
  if (take_capabilities(id, f)) return -1;
  if (id->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return fail(f, "no_new_privs");
  default_signals();
  if (chdir(id->cwd ? id->cwd : "/")) return fail(f, "chdir");
  if (confine(id, f)) return -1;
  return take_filter(id, f);
}

static inline const char *path_of(char *const *env) {
  const char *path = "/usr/local/bin:/usr/bin:/bin";
  for (char *const *e = env; *e; e++)
    if (!strncmp(*e, "PATH=", 5)) path = *e + 5;
  return path;
}

/* Where PATH says that a program may be, one after the other; 0: nowhere else. */
static inline int next_place(char file[4096], const char **rest, const char *name) {
  while (*rest && **rest) {
    const char *end = strchr(*rest, ':');
    struct text t = {file, 0, 4095, 0};
    text_raw(&t, *rest, end ? (size_t)(end - *rest) : strlen(*rest));
    text_str(&t, "/");
    text_str(&t, name);
    file[t.len] = 0;
    *rest = end ? end + 1 : NULL;
    if (!t.full) return 1;
  }
  return 0;
}

/* Looks the command up in PATH of *its* environment and executes it; returns only where that is impossible. */
static inline void execute(char *const *argv, char *const *env, struct failure *f) {
  if (strchr(argv[0], '/')) {
    execve(argv[0], argv, env);
    fail(f, "execve");
    return;
  }
  const char *rest = path_of(env);
  char file[4096];
  int error = ENOENT;
  while (next_place(file, &rest, argv[0])) {
    execve(file, argv, env);
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  errno = error;
  fail(f, "execve");
}
#endif
