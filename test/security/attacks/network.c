/* The host's network. */
#include "attack.h"
#include <dirent.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static enum outcome host_loopback(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(given_int("canary_port")), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  return took(connect(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&at, sizeof at) == 0);
}
static enum outcome raw(void) { return took(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) >= 0); }
static enum outcome raw6(void) { return took(socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6) >= 0); }
static enum outcome packets(void) { return took(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(3)) >= 0); }
static enum outcome xdp(void) { return took(socket(44, SOCK_RAW | SOCK_CLOEXEC, 0) >= 0); }
static enum outcome netfilter(void) {
  struct nlmsghdr message = {.nlmsg_len = NLMSG_LENGTH(4), .nlmsg_type = (10 << 8) | 1, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP};
  char buffer[64] = {0};
  memcpy(buffer, &message, sizeof message);
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  struct {
    struct nlmsghdr header;
    int error;
    char rest[4096];
  } answer;
  if (fd < 0 || send(fd, buffer, NLMSG_LENGTH(4), 0) < 0 || recv(fd, &answer, sizeof answer, 0) < 0) return STOPPED;
  if (answer.header.nlmsg_type == NLMSG_ERROR && answer.error) {
    errno = -answer.error;
    return STOPPED;
  }
  return THROUGH;
}
static enum outcome flags(void) {
  struct ifreq request = {.ifr_name = "lo"};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (ioctl(fd, SIOCGIFFLAGS, &request)) return STOPPED;
  return took(ioctl(fd, SIOCSIFFLAGS, &request) == 0);
}
static enum outcome bridge(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  /* a name that is too long is refused after the right to make one */
  return past_the_gate(ioctl(fd, 0x89a1, "lo"));
}
static enum outcome tunnel(void) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (fd < 0) return STOPPED;
  return took(ioctl(fd, TUNSETIFF, &request) == 0);
}
static enum outcome force_buffer(void) {
  int size = 1 << 20;
  return took(setsockopt(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) == 0);
}
static enum outcome transparent(void) {
  int on = 1;
  return took(setsockopt(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), SOL_IP, 19, &on, sizeof on) == 0);
}
/* Those of the namespace that the files were mounted in, which need not be one's own. */
static enum outcome other_interfaces(void) {
  DIR *folder = opendir("/sys/class/net");
  for (struct dirent *each; folder && (each = readdir(folder));)
    if (each->d_type == DT_LNK && !if_nametoindex(each->d_name)) return THROUGH;
  return STOPPED;
}
static enum outcome settings(void) { return opened("/proc/sys/net/ipv4/ip_forward", O_WRONLY); }

const struct attack network_attacks[] = {
  {"connect to the host's loopback", REACH, host_loopback},
  {"open a raw socket", FATAL, raw},
  {"open a raw IPv6 socket", FATAL, raw6},
  {"read packets", FATAL, packets},
  {"open an XDP socket", FATAL, xdp},
  {"read the packet filter", FATAL, netfilter},
  {"change an interface", FATAL, flags},
  {"remove a bridge", FATAL, bridge},
  {"make a tunnel", FATAL, tunnel},
  {"force a buffer beyond the limit", FATAL, force_buffer},
  {"take others' connections", FATAL, transparent},
  {"see the host's interfaces", REACH, other_interfaces},
  {"change settings of the network", FATAL, settings},
  END,
};
