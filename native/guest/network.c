// The machine's loopback and, where it has one, its card: an address of its own, and everything else behind one neighbour.
#include "guest.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <net/route.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static struct sockaddr address_of(const char *text) {
  union {
    struct sockaddr any;
    struct sockaddr_in in;
  } at = {.in = {.sin_family = AF_INET}};
  inet_pton(AF_INET, text, &at.in.sin_addr);
  return at.any;
}

static int up(int fd, const char *name) {
  struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  return ioctl(fd, SIOCSIFFLAGS, &request);
}

static int give_address(int fd, const char *name, const char *text) {
  struct ifreq request = {.ifr_addr = address_of(text)};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, SIOCSIFADDR, &request)) return -1;
  request.ifr_netmask = address_of("255.255.255.255");
  return ioctl(fd, SIOCSIFNETMASK, &request);
}

// One of them is a neighbour's own, which needs nobody to get there.
static int add_route(int fd, char *name, const char *to, const char *mask, const char *by) {
  struct rtentry route = {.rt_dev = name,
                          .rt_dst = address_of(to),
                          .rt_genmask = address_of(mask),
                          .rt_gateway = address_of(by ? by : "0.0.0.0"),
                          .rt_flags = (unsigned short)(RTF_UP | (by ? RTF_GATEWAY : RTF_HOST))};
  return ioctl(fd, SIOCADDRT, &route);
}

int network_up(const char *address, const char *gateway) {
  char card[] = "eth0";
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  // a kernel may have no network at all, which a machine without a card can do without
  up(fd, "lo");
  int failed = address && (give_address(fd, card, address) || up(fd, card) ||
                           add_route(fd, card, gateway, "255.255.255.255", NULL) ||
                           add_route(fd, card, "0.0.0.0", "0.0.0.0", gateway));
  int error = errno;
  close(fd);
  // the machine's own ports, as in any network of an allocation's own
  write_file_at(AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  errno = error;
  return failed ? -1 : 0;
}
