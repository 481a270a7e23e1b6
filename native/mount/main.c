// Mounts and unmounts for the agent, one after the other, without a process for each. Requests on stdin, each ended by a NUL: `m SIZE PATH`
// (an empty tmpfs of that many MiB, whose files cannot be run), `b SOURCE PATH` (the source, which has no space in it, at the path too) and
// `u PATH` (when it is not in use any more). The answer to each is the number of its error, or 0, and a line feed. It ends with its input.
#include "../base.h"
#include <sys/mount.h>

static char requests[64 * 1024];

static int mount_secrets(char *at) {
  char options[64];
  struct text t = {options, 0, sizeof options - 1, 0};
  char *path = strchr(at, ' ');
  if (!path) return EINVAL;
  text_str(&t, "mode=0777,size=");
  text_u64(&t, parse_u64(at));
  text_str(&t, "m");
  options[t.len] = 0;
  // by the name of a descriptor: no link that is put in its place is followed
  return mount("drover-secrets", path + 1, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) ? errno : 0;
}

static int bind_alone(char *at) {
  char *path = strchr(at, ' ');
  if (!path) return EINVAL;
  *path++ = 0;
  if (mount(at, path, 0, MS_BIND, 0)) return errno;
  // else what is mounted below the source later would be mounted here too, and unmounted there with this one
  if (!mount(0, path, 0, MS_PRIVATE, 0)) return 0;
  int error = errno;
  umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
  return error;
}

static int carry_out(char *request) {
  if (request[0] == 'm' && request[1] == ' ') return mount_secrets(request + 2);
  if (request[0] == 'b' && request[1] == ' ') return bind_alone(request + 2);
  if (request[0] == 'u' && request[1] == ' ') return umount2(request + 2, MNT_DETACH | UMOUNT_NOFOLLOW) ? errno : 0;
  return EINVAL;
}

int main(void) {
  size_t have = 0;
  signal(SIGPIPE, SIG_IGN);
  for (;;) {
    ssize_t n = read(0, requests + have, sizeof requests - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    have += (size_t)n;
    char *at = requests, *end;
    while ((end = memchr(at, 0, (size_t)(requests + have - at)))) {
      char answer[16];
      struct text t = {answer, 0, sizeof answer, 0};
      text_int(&t, carry_out(at));
      text_str(&t, "\n");
      if (write_all(1, answer, t.len)) return 1;
      at = end + 1;
    }
    have -= (size_t)(at - requests);
    memmove(requests, at, have);
    if (have == sizeof requests) return 1;
  }
}
