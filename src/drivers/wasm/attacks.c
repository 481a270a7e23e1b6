/*
 * What a hostile module tries of WASI: a line for each, `through NAME` or `stopped NAME`. Arguments: where it may write, from a directory it
 * was given ("" or "tmp/x/"); then the one thing to try, of those that may end the process, or "".
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#define FDS 64
static const char *base = "";

static int reads(__wasi_fd_t fd, const char *start) {
  char text[6] = "";
  __wasi_iovec_t vector = {(uint8_t *)text, 5};
  __wasi_size_t read = 0;
  return __wasi_fd_read(fd, &vector, 1, &read) == 0 && strncmp(text, start, strlen(start)) == 0;
}

/* With a length that is not that of a text. */
__attribute__((import_module("wasi_snapshot_preview1"), import_name("path_open"))) int32_t path_open_call(
    int32_t from, int32_t lookup, const char *path, int32_t length, int32_t flags, int64_t rights, int64_t inherited, int32_t fd_flags, __wasi_fd_t *opened);

static int raw_open(__wasi_fd_t from, const char *path, size_t length, __wasi_oflags_t flags, __wasi_rights_t rights, __wasi_fd_t *opened) {
  return path_open_call((int32_t)from, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, (int32_t)length, flags, (int64_t)rights, (int64_t)rights, 0, opened) == 0;
}

/* From every descriptor there may be: the list of users of the host by this path. */
static int opens_raw(const char *path, size_t length) {
  for (__wasi_fd_t from = 0; from < FDS; from++) {
    __wasi_fd_t opened;
    if (!raw_open(from, path, length, 0, __WASI_RIGHTS_FD_READ, &opened)) continue;
    int through = reads(opened, "root:");
    if (__wasi_fd_close(opened) != 0 || through) return through;
  }
  return 0;
}
static int opens(const char *path) { return opens_raw(path, strlen(path)); }

static const char *own(const char *name) {
  static char paths[4][256];
  static int at;
  char *path = paths[at++ % 4];
  snprintf(path, sizeof paths[0], "%s%s", base, name);
  return path;
}

#define UP "../../../../../../../../../../../.."

static int direct(void) { return opens("etc/passwd"); }
static int absolute(void) { return opens("/etc/passwd"); }
static int dots(void) { return opens(UP "/etc/passwd"); }
static int by_proc(void) { return opens("proc/self/root/etc/passwd"); }
static int makes_link(const char *target, const char *name) {
  for (__wasi_fd_t at = 3; at < FDS; at++)
    if (__wasi_path_symlink(target, at, own(name)) == 0) return 1;
  return 0;
}
static int unlinks(const char *name) {
  for (__wasi_fd_t at = 3; at < FDS; at++)
    if (__wasi_path_unlink_file(at, own(name)) == 0) return 1;
  return 0;
}
static int link_absolute(void) { return makes_link("/etc", "absolute") && unlinks("absolute"); }
static int link_out(void) { return makes_link(UP "/etc", "out") && unlinks("out"); }
static int through_own_link(void) {
  makes_link(UP "/etc", "way");
  makes_link(UP "/etc/passwd", "last");
  int through = opens(own("way/passwd")) || opens(own("last"));
  unlinks("way");
  unlinks("last");
  return through;
}
/* What the host compares ends elsewhere than what it opens. `planted`: a link that the harness put there. */
static int by_nul(void) {
  char path[256];
  int n = snprintf(path, sizeof path, "%splanted/passwd", base);
  memcpy(path + n, "\0/x/y", 6);
  return opens_raw(path, (size_t)n + 5) || opens_raw(path, (size_t)n + 1);
}
static int by_planted_link(void) { return opens(own("planted/passwd")) || opens(own("planted/../etc/passwd")) || opens(own("planted-file")); }
/* A directory that is open, and another thing in its place. */
static int by_exchange(void) {
  int through = 0;
  for (__wasi_fd_t at = 3; at < FDS && !through; at++) {
    __wasi_fd_t inside, opened;
    if (__wasi_path_create_directory(at, own("place")) != 0) continue;
    if (!raw_open(at, own("place"), strlen(own("place")), __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_PATH_OPEN | __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_READDIR, &inside)) continue;
    __wasi_path_remove_directory(at, own("place"));
    if (__wasi_path_rename(at, own("planted"), at, own("place")) == 0) {
      through = raw_open(inside, "passwd", 6, 0, __WASI_RIGHTS_FD_READ, &opened) && reads(opened, "root:");
      __wasi_path_rename(at, own("place"), at, own("planted"));
    }
    __wasi_fd_close(inside);
  }
  return through;
}
static int by_second_name(void) {
  for (__wasi_fd_t at = 3; at < FDS; at++)
    if (__wasi_path_link(at, 0, own("../drover-wasm-outside"), at, own("second")) == 0) return unlinks("second");
  return 0;
}
static int moves_in(void) {
  for (__wasi_fd_t at = 3; at < FDS; at++)
    if (__wasi_path_rename(at, own("../drover-wasm-outside"), at, own("moved")) == 0)
      return __wasi_path_rename(at, own("moved"), at, own("../drover-wasm-outside")) == 0;
  return 0;
}
static int makes_outside(void) {
  for (__wasi_fd_t at = 3; at < FDS; at++)
    if (__wasi_path_create_directory(at, own("../drover-wasm-made")) == 0) return __wasi_path_remove_directory(at, own("../drover-wasm-made")) == 0;
  return 0;
}
static int looks(void) {
  __wasi_filestat_t stat;
  for (__wasi_fd_t at = 0; at < FDS; at++)
    if (__wasi_path_filestat_get(at, 1, UP "/etc/passwd", &stat) == 0 && stat.size > 0) return 1;
  return 0;
}
static int reads_link(void) {
  uint8_t text[256];
  __wasi_size_t used = 0;
  for (__wasi_fd_t at = 0; at < FDS; at++)
    if (__wasi_path_readlink(at, UP "/proc/self/exe", text, sizeof text, &used) == 0 && used > 0) return 1;
  return 0;
}
static int lists(void) {
  uint8_t buffer[4096];
  __wasi_size_t used = 0;
  for (__wasi_fd_t from = 3; from < FDS; from++) {
    if (__wasi_fd_readdir(from, buffer, sizeof buffer, 0, &used) != 0) continue;
    for (size_t i = 0; i + 4 <= used; i++)
      if (!memcmp(buffer + i, "proc", 4)) return 1;
  }
  return 0;
}

/* Of a directory that was given to be read; it holds a file `kept`. */
static int find_kept(__wasi_fd_t *from, char *path) {
  __wasi_filestat_t stat;
  for (__wasi_fd_t at = 3; at < FDS; at++)
    for (int deep = 0; deep < 2; deep++) {
      snprintf(path, 64, "%skept", deep ? own("read-only/") : "");
      if (__wasi_path_filestat_get(at, 0, path, &stat) == 0) return (int)(*from = at);
    }
  return 0;
}
static int changes_kept(void) {
  __wasi_fd_t from, opened;
  __wasi_size_t wrote;
  char path[64], next[80];
  __wasi_ciovec_t vector = {(const uint8_t *)"kept", 4};
  if (!find_kept(&from, path)) return 0;
  snprintf(next, sizeof next, "%s-new", path);
  if (raw_open(from, path, strlen(path), 0, __WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_WRITE, &opened) && __wasi_fd_write(opened, &vector, 1, &wrote) == 0) return 1;
  if (raw_open(from, path, strlen(path), __WASI_OFLAGS_TRUNC, __WASI_RIGHTS_FD_READ, &opened)) return 1;
  if (raw_open(from, path, strlen(path), 0, __WASI_RIGHTS_FD_READ, &opened) && (__wasi_fd_pwrite(opened, &vector, 1, 0, &wrote) == 0 || __wasi_fd_filestat_set_size(opened, 1) == 0)) return 1;
  return __wasi_path_filestat_set_times(from, 0, path, 0, 0, __WASI_FSTFLAGS_MTIM_NOW) == 0 || __wasi_path_rename(from, path, from, next) == 0 ||
         __wasi_path_unlink_file(from, path) == 0 || __wasi_path_link(from, 0, path, from, next) == 0;
}
/* Under another number. */
static int changes_renumbered(void) {
  __wasi_fd_t from, opened;
  char path[64];
  if (!find_kept(&from, path)) return 0;
  for (__wasi_fd_t to = 3; to < FDS; to++)
    if (to != from && __wasi_fd_renumber(from, to) == 0) return raw_open(to, path, strlen(path), __WASI_OFLAGS_TRUNC, __WASI_RIGHTS_FD_WRITE, &opened);
  return 0;
}

static int writes(void) {
  __wasi_ciovec_t vector = {(const uint8_t *)"x", 1};
  __wasi_size_t wrote;
  for (__wasi_fd_t to = 3; to < 4096; to++)
    if (__wasi_fd_write(to, &vector, 1, &wrote) == 0) return 1;
  return 0;
}
/* With what it was given closed, the numbers are the host's again, or nobody's. */
static int after_closing(void) {
  __wasi_fdstat_t stat;
  for (__wasi_fd_t fd = 3; fd < FDS; fd++) __wasi_fd_close(fd);
  for (__wasi_fd_t fd = 3; fd < 4096; fd++)
    if (__wasi_fd_fdstat_get(fd, &stat) == 0) return 1;
  return direct() || writes();
}
static int sockets(void) {
  __wasi_size_t size;
  __wasi_roflags_t flags;
  __wasi_fd_t taken;
  uint8_t byte;
  __wasi_iovec_t in = {&byte, 1};
  __wasi_ciovec_t out = {(const uint8_t *)"x", 1};
  for (__wasi_fd_t at = 0; at < FDS; at++)
    if (__wasi_sock_recv(at, &in, 1, 0, &size, &flags) == 0 || __wasi_sock_send(at, &out, 1, 0, &size) == 0 || __wasi_sock_accept(at, 0, &taken) == 0 ||
        __wasi_sock_shutdown(at, 3) == 0)
      return 1;
  return 0;
}

/* Places outside of its memory, or across its end, in every call that is given one. */
#define OUTSIDE ((void *)0xfffffff0u)
static int beyond_write(void) {
  __wasi_ciovec_t vector = {OUTSIDE, 8}, *far = OUTSIDE;
  __wasi_size_t wrote;
  return __wasi_fd_write(2, &vector, 1, &wrote) == 0 || __wasi_fd_write(2, far, 1, &wrote) == 0;
}
/* In 32 bits their size is 8: it looks as if it were within the memory, and the process makes room for all of them, 8 GB. */
static int many_vectors(void) {
  __wasi_ciovec_t vector = {"x", 1};
  __wasi_size_t wrote;
  return __wasi_fd_write(2, &vector, 0x20000001, &wrote) == 0;
}
static int beyond_read(void) {
  __wasi_iovec_t vector = {OUTSIDE, 0x7fffffff};
  __wasi_size_t size;
  return __wasi_fd_read(0, &vector, 1, &size) == 0 && size > 0;
}
static int beyond_random(void) { return __wasi_random_get(OUTSIDE, 64) == 0 || __wasi_random_get((uint8_t *)8, 0xffffffffu) == 0; }
static int beyond_words(void) { return __wasi_args_get(OUTSIDE, OUTSIDE) == 0 || __wasi_environ_get(OUTSIDE, OUTSIDE) == 0; }
static int beyond_time(void) { return __wasi_clock_time_get(0, 0, OUTSIDE) == 0 || __wasi_fd_fdstat_get(1, OUTSIDE) == 0; }
static int beyond_list(void) {
  __wasi_size_t used;
  for (__wasi_fd_t from = 3; from < FDS; from++)
    if (__wasi_fd_readdir(from, OUTSIDE, 4096, 0, &used) == 0) return 1;
  return 0;
}
static int beyond_path(void) { return opens_raw(OUTSIDE, 4096); }
static int beyond_poll(void) {
  __wasi_size_t count;
  return __wasi_poll_oneoff(OUTSIDE, OUTSIDE, 0x7fffffff, &count) == 0;
}
static int many_clocks(void) {
  __wasi_size_t count, many = 300000;
  __wasi_subscription_t *all = calloc(many, sizeof *all);
  __wasi_event_t *events = calloc(many, sizeof *events);
  return all && events && __wasi_poll_oneoff(all, events, many, &count) == 0 && count > many;
}
static int memory_without_end(void) {
  static char *volatile at;
  for (size_t had = 0;; had += 1 << 20) {
    at = malloc(1 << 20);
    if (!at) return 0;
    memset(at, 1, 1 << 20);
    if (had > 400u << 20) return 1;
  }
}
static volatile int depth;
static int stack_without_end(void) {
  volatile char room[256];
  room[depth++ & 255] = 1;
  return stack_without_end() + room[0];
}
static int time_without_end(void) {
  for (volatile int i = 0;; i++) continue;
}

static const struct {
  const char *name;
  int (*run)(void);
  int rough; /* it may end the process, and the others are not to miss their turn */
} attacks[] = {
  {"a descriptor of the process around it", writes},
  {"a file of the host", direct},
  {"a file of the host by an absolute path", absolute},
  {"a file of the host by ..", dots},
  {"a file of the host by /proc", by_proc},
  {"a file of the host by a link that it made", through_own_link},
  {"a file of the host by a link that was there", by_planted_link},
  {"a file of the host by a NUL in its path", by_nul},
  {"a file of the host by a link in place of an open directory", by_exchange},
  {"a second name for a file of the host", by_second_name},
  {"a file of the host moved in", moves_in},
  {"the size of a file of the host", looks},
  {"where a link of the host leads", reads_link},
  {"a directory of the host", lists},
  {"a new directory of the host", makes_outside},
  {"a link to elsewhere", link_absolute},
  {"a link to elsewhere by ..", link_out},
  {"a change below a read-only directory", changes_kept},
  {"a change below a read-only directory under another number", changes_renumbered},
  {"memory beyond its own, by fd_write", beyond_write},
  {"memory beyond its own, by fd_read", beyond_read},
  {"memory beyond its own, by random_get", beyond_random},
  {"memory beyond its own, by args_get", beyond_words},
  {"memory beyond its own, by clock_time_get", beyond_time},
  {"memory beyond its own, by fd_readdir", beyond_list},
  {"a descriptor after it closed its own", after_closing},
  {"a socket of the process around it", sockets, 1},
  {"memory beyond its own, by a path", beyond_path, 1},
  {"memory beyond its own, by poll_oneoff", beyond_poll, 1},
  {"memory of the process around it, by 500 million vectors", many_vectors, 1},
  {"300,000 clocks at once", many_clocks, 1},
  {"memory without end", memory_without_end, 1},
  {"a stack without end", stack_without_end, 1},
  {"time without end", time_without_end, 1},
};

int main(int argc, char **argv) {
  if (argc > 1) base = argv[1];
  for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
    if (argc > 2 && argv[2][0] ? strcmp(argv[2], attacks[i].name) != 0 : attacks[i].rough) continue;
    printf("%s %s\n", attacks[i].run() ? "through" : "stopped", attacks[i].name);
    fflush(stdout);
  }
  return 0;
}
