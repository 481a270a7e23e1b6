/*
 * Programs in memory that nobody can write to: the shim's own, and an OCI runtime's.
 *
 * Who enters a task reaches the shim's program through /proc until another takes its place, and may execute it there (a script that begins with
 * `#!/proc/self/exe`), where processes of the task's user then hold it: an agent without root has the same user, to whom the file belongs.
 *
 * A container can reach the program that made it in the same way, so runtimes execute themselves a second time at each start, from a read-only
 * mount or a copy made for it; one that is sealed they take as it is. The helper makes it once for all its shims, anew where the program was
 * replaced. Where none can be had the program itself is executed.
 */
#include "shim.h"
#include <sys/sendfile.h>

enum { EXECUTABLE = 0x10, LARGEST = 64 << 20 };

int sealed_runtime = -1;
static struct stat original;

static int sealed_copy(int from, off_t size) {
  char magic[4];
  /* A script cannot be executed without a name. */
  if (size > LARGEST || pread(from, magic, 4, 0) != 4 || memcmp(magic, "\177ELF", 4)) return -1;
  int to = memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING | EXECUTABLE);
  /* Kernels before 6.3 know nothing else. */
  if (to < 0 && errno == EINVAL) to = memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (to < 0) return -1;
  while (size > 0) {
    ssize_t n = sendfile(to, from, NULL, (size_t)size);
    if (n <= 0) break;
    size -= n;
  }
  if (size == 0 && !fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)) return to;
  close(to);
  return -1;
}

void sealed_self(char **argv) {
  struct stat now;
  int own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), copy = -1;
  if (own >= 0 && fcntl(own, F_GET_SEALS) < 0 && !fstat(own, &now)) copy = sealed_copy(own, now.st_size);
  if (copy >= 0) syscall(SYS_execveat, copy, "", argv, environ, AT_EMPTY_PATH);
  if (own >= 0) close(own);
  if (copy >= 0) close(copy);
}

static int is_unchanged(const struct stat *now) {
  return sealed_runtime >= 0 && now->st_dev == original.st_dev && now->st_ino == original.st_ino &&
         now->st_ctim.tv_sec == original.st_ctim.tv_sec && now->st_ctim.tv_nsec == original.st_ctim.tv_nsec;
}

static int open_program(const char *name, char *const *env) {
  char file[4096];
  const char *rest = path_of(env);
  if (strchr(name, '/')) return open(name, O_RDONLY | O_CLOEXEC);
  while (next_place(file, &rest, name)) {
    int fd = access(file, X_OK) ? -1 : open(file, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) return fd;
  }
  return -1;
}

void sealed_close(void) {
  if (sealed_runtime >= 0) close(sealed_runtime);
  sealed_runtime = -1;
}

void sealed_make(const char *name, char *const *env) {
  struct stat now;
  int from = open_program(name, env);
  if (from < 0 || fstat(from, &now)) sealed_close();
  else if (!is_unchanged(&now)) {
    sealed_close();
    sealed_runtime = sealed_copy(from, now.st_size);
    original = now;
  }
  if (from >= 0) close(from);
}
