/*
 * drover-verify reach ADDRESS:PORT…: tries to connect to each, all at once, and prints `ADDRESS:PORT ERRNO` for each (0: connected). Run in
 * a task's network namespace it shows what the host's rules let through. No name is looked up; IPv4 over TCP.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define REACH_MAX 32
#define REACH_MS 400

static int reach_begin(const char *target) {
  char text[32];
  struct sockaddr_in to = {.sin_family = AF_INET};
  const char *colon = strrchr(target, ':');
  if (!colon || (size_t)(colon - target) >= sizeof text) return -EINVAL;
  memcpy(text, target, (size_t)(colon - target));
  text[colon - target] = 0;
  to.sin_port = htons((u16)atoi(colon + 1));
  if (inet_pton(AF_INET, text, &to.sin_addr) != 1) return -EINVAL;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS) return fd;
  int error = errno;
  close(fd);
  return -error;
}

static int reach_end(int fd, int ready) {
  int error = 0;
  socklen_t len = sizeof error;
  if (!ready) return ETIMEDOUT;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) ? errno : error;
}

static int reach(int count, char **targets) {
  struct pollfd polls[REACH_MAX];
  int errors[REACH_MAX], left = 0;
  if (count > REACH_MAX) return 2;
  for (int i = 0; i < count; i++) {
    int fd = reach_begin(targets[i]);
    errors[i] = fd < 0 ? -fd : -1;
    polls[i] = (struct pollfd){fd < 0 ? -1 : fd, POLLOUT, 0};
    left += fd >= 0;
  }
  /* Each answer may shorten the wait for the others, never lengthen it: the whole takes at most count × REACH_MS, usually one round. */
  for (int round = 0; left > 0 && round < count; round++) {
    if (poll(polls, (nfds_t)count, REACH_MS) <= 0) break;
    for (int i = 0; i < count; i++) {
      if (polls[i].fd < 0 || !polls[i].revents) continue;
      errors[i] = reach_end(polls[i].fd, 1);
      close(polls[i].fd);
      polls[i].fd = -1;
      left--;
    }
  }
  for (int i = 0; i < count; i++) printf("%s %d\n", targets[i], errors[i] < 0 ? reach_end(polls[i].fd, 0) : errors[i]);
  return fflush(stdout) ? 1 : 0;
}
