/* What a hostile module tries of WASI: a line for each, `through NAME` or `stopped NAME`. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wasi/api.h>

static void told(int through, const char *name) {
  printf("%s %s\n", through ? "through" : "stopped", name);
  fflush(stdout);
}

/* From every descriptor there may be: a file of the host by this path. */
static int opens(const char *path) {
  int through = 0;
  for (__wasi_fd_t from = 0; from < 256; from++) {
    __wasi_fd_t opened;
    if (__wasi_path_open(from, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, 0, __WASI_RIGHTS_FD_READ, 0, 0, &opened) != 0) continue;
    char text[6] = "";
    __wasi_iovec_t vector = {(uint8_t *)text, 5};
    __wasi_size_t read = 0;
    if (__wasi_fd_read(opened, &vector, 1, &read) == 0 && strncmp(text, "root:", 5) == 0) through = 1;
    if (__wasi_fd_close(opened) != 0) return through;
  }
  return through;
}

static int lists(void) {
  uint8_t buffer[512];
  __wasi_size_t used = 0;
  for (__wasi_fd_t from = 3; from < 256; from++)
    if (__wasi_fd_readdir(from, buffer, sizeof buffer, 0, &used) == 0 && used > 0) return 1;
  return 0;
}

static int writes(void) {
  __wasi_ciovec_t vector = {(const uint8_t *)"x", 1};
  __wasi_size_t wrote;
  for (__wasi_fd_t to = 3; to < 256; to++)
    if (__wasi_fd_write(to, &vector, 1, &wrote) == 0) return 1;
  return 0;
}

static int makes(void) {
  for (__wasi_fd_t at = 3; at < 256; at++)
    if (__wasi_path_create_directory(at, "tmp/drover-wasm-attack") == 0)
      return __wasi_path_remove_directory(at, "tmp/drover-wasm-attack") == 0;
  return 0;
}

static int links(void) {
  for (__wasi_fd_t at = 3; at < 256; at++)
    if (__wasi_path_symlink("/etc", at, "tmp/drover-wasm-link") == 0)
      return __wasi_path_unlink_file(at, "tmp/drover-wasm-link") == 0;
  return 0;
}

static int connects(void) {
  __wasi_size_t size;
  __wasi_roflags_t flags;
  uint8_t byte;
  __wasi_iovec_t in = {&byte, 1};
  __wasi_ciovec_t out = {(const uint8_t *)"x", 1};
  for (__wasi_fd_t at = 0; at < 256; at++) {
    if (__wasi_sock_recv(at, &in, 1, 0, &size, &flags) == 0) return 1;
    if (__wasi_sock_send(at, &out, 1, 0, &size) == 0) return 1;
  }
  return 0;
}

/* Bytes that lie outside of its memory, written out. */
static int beyond(void) {
  __wasi_ciovec_t vector = {(const uint8_t *)0xfffffff0u, 8};
  __wasi_size_t wrote;
  return __wasi_fd_write(2, &vector, 1, &wrote) == 0;
}

/* With an argument: without sockets, a word about which ends Node's own WASI with SIGSEGV. */
int main(int argc, char **argv) {
  (void)argv;
  told(opens("etc/passwd"), "a file of the host");
  told(opens("../../../../../../etc/passwd"), "a file of the host by ..");
  told(opens("proc/self/root/etc/passwd"), "a file of the host by /proc");
  told(lists(), "a directory of the host");
  told(makes(), "a new directory of the host");
  told(links(), "a link to elsewhere");
  told(writes(), "a descriptor of the process around it");
  if (argc < 2) told(connects(), "a socket of the process around it");
  told(beyond(), "memory beyond its own");
}
