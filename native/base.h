/* Small things the native programs share: integers, text without stdio, fields (docs/shim-protocol.md). Nothing here allocates. */
#ifndef DROVER_BASE_H
#define DROVER_BASE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define FRAME_MAX (1024u * 1024u)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline u32 be32(const u8 *p) { return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3]; }
static inline u64 be64(const u8 *p) { return (u64)be32(p) << 32 | be32(p + 4); }
static inline void put32(u8 *p, u32 v) { p[0] = v >> 24; p[1] = v >> 16; p[2] = v >> 8; p[3] = v; }

static inline u64 now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (u64)t.tv_sec * 1000000000ull + (u64)t.tv_nsec;
}
static inline u64 now_ms(void) { return now_ns(CLOCK_BOOTTIME) / 1000000; }

/* Text of a fixed capacity; what does not fit is cut and `full` says so. */
struct text {
  char *at;
  size_t len, cap;
  int full;
};

static inline void text_raw(struct text *t, const char *s, size_t n) {
  if (n > t->cap - t->len) { n = t->cap - t->len; t->full = 1; }
  memcpy(t->at + t->len, s, n);
  t->len += n;
}
static inline void text_str(struct text *t, const char *s) { text_raw(t, s, strlen(s)); }
static inline void text_u64(struct text *t, u64 v) {
  char digits[20];
  size_t n = sizeof digits;
  do { digits[--n] = (char)('0' + v % 10); v /= 10; } while (v);
  text_raw(t, digits + n, sizeof digits - n);
}
static inline void text_int(struct text *t, int64_t v) {
  if (v < 0) text_str(t, "-");
  text_u64(t, v < 0 ? (u64)0 - (u64)v : (u64)v);
}
/* A JSON string with its quotes. Bytes above 0x7f pass as they are. */
static inline void text_json(struct text *t, const char *s, size_t n) {
  static const char hex[] = "0123456789abcdef";
  text_str(t, "\"");
  for (size_t i = 0; i < n; i++) {
    u8 c = (u8)s[i];
    if (c == '"' || c == '\\') { char e[2] = {'\\', (char)c}; text_raw(t, e, 2); }
    else if (c < 0x20 || c == 0x7f) { char e[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}; text_raw(t, e, 6); }
    else text_raw(t, s + i, 1);
  }
  text_str(t, "\"");
}

/* One pass over fields: 1 a field, 0 the end, -1 malformed. */
struct fields {
  const u8 *at, *end;
};
static inline int field_next(struct fields *f, u8 *tag, const u8 **value, u32 *len) {
  if (f->at == f->end) return 0;
  if (f->end - f->at < 5) return -1;
  *tag = f->at[0];
  *len = be32(f->at + 1);
  if (*len > (size_t)(f->end - f->at - 5)) return -1;
  *value = f->at + 5;
  f->at += 5 + *len;
  return 1;
}
/* The string in a field, or NULL: it must end with the one NUL it has. */
static inline const char *field_string(const u8 *value, u32 len) {
  return len > 0 && memchr(value, 0, len) == value + len - 1 ? (const char *)value : NULL;
}

static inline int write_all(int fd, const void *data, size_t n) {
  const char *p = data;
  while (n) {
    ssize_t w = write(fd, p, n);
    if (w < 0 && errno == EINTR) continue;
    if (w <= 0) return -1;
    p += w;
    n -= (size_t)w;
  }
  return 0;
}
static inline int read_all(int fd, void *data, size_t n) {
  char *p = data;
  while (n) {
    ssize_t r = read(fd, p, n);
    if (r < 0 && errno == EINTR) continue;
    if (r <= 0) return -1;
    p += r;
    n -= (size_t)r;
  }
  return 0;
}
/* The start of a small file as text, or -1; for /proc and cgroup files. */
static inline ssize_t read_file_at(int dir, const char *path, char *buffer, size_t cap) {
  int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  size_t have = 0;
  ssize_t r = 0;
  while (have < cap - 1) {
    r = read(fd, buffer + have, cap - 1 - have);
    if (r < 0 && errno == EINTR) continue;
    if (r <= 0) break;
    have += (size_t)r;
  }
  int error = errno;
  close(fd);
  errno = error;
  buffer[have] = 0;
  return r < 0 && !have ? -1 : (ssize_t)have;
}
static inline int write_file_at(int dir, const char *path, const char *content) {
  int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  int failed = write_all(fd, content, strlen(content));
  int error = errno;
  close(fd);
  errno = error;
  return failed;
}
static inline u64 parse_u64(const char *s) {
  u64 v = 0;
  while (*s >= '0' && *s <= '9') v = v * 10 + (u64)(*s++ - '0');
  return v;
}
/* Field 22 of /proc/<pid>/stat, clock ticks since boot; 0 where there is no such process. */
static inline u64 process_start_time(pid_t pid) {
  char path[40], stat[1024];
  struct text t = {path, 0, sizeof path - 1, 0};
  text_str(&t, "/proc/");
  text_int(&t, pid);
  text_str(&t, "/stat");
  path[t.len] = 0;
  if (read_file_at(AT_FDCWD, path, stat, sizeof stat) <= 0) return 0;
  char *p = strrchr(stat, ')');
  for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
  return p ? parse_u64(p + 1) : 0;
}
#endif
