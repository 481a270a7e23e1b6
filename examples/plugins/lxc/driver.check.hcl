# How drover driver check makes tasks of this driver.
ends {
  template     = "busybox"
  network_mode = "none"
  command      = "/bin/sh"
  args         = ["-c", "exit ${code}"]
}
runs {
  template     = "busybox"
  network_mode = "none"
  command      = "/bin/sleep"
  args         = ["${seconds}"]
}
stubborn {
  template     = "busybox"
  network_mode = "none"
  command      = "/bin/sh"
  args         = ["-c", "trap '' INT; while :; do sleep 1; done"]
}
fails {
  template = "none-such"
}
says {
  template     = "busybox"
  network_mode = "none"
  command      = "/bin/echo"
  args         = ["${text}"]
}
execs {
  template     = "busybox"
  network_mode = "none"
  command      = "/bin/sleep"
  args         = ["60"]
}
command = ["/bin/sh", "-c", "echo out; exit 4"]
