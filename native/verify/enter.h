/*
 * drover-verify enter NETWORK COMMAND…: becomes the command inside a network namespace of an ordinary user, with the capabilities that its
 * owner has there and nowhere else. The user keeps its ids: they are the same inside. `beside`: likewise, but in the network it is in, for
 * a program that passes on packets between the two.
 */
static int enter_network(const char *path, int inside, char **command) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  struct failure f = {"open", 0};
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || join_owner(fd, &f) < 0) goto failed;
  f.stage = "join network";
  if (inside && setns(fd, CLONE_NEWNET)) goto failed;
  f.stage = "capabilities";
  if (syscall(SYS_capget, &header, data)) goto failed;
  for (int i = 0; i < 2; i++) data[i].inheritable = data[i].permitted;
  if (syscall(SYS_capset, &header, data)) goto failed;
  for (int cap = 0; cap < 64; cap++)
    if (data[cap / 32].permitted >> (cap % 32) & 1) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
  execute(command, environ, &f);
failed:
  fprintf(stderr, "%s: %s: %s\n", path, f.stage, strerror(errno));
  return 125;
}
