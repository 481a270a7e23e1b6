# A container of lxc: its root file system by lxc's own busybox template, its ids mapped, its exit code real.
job "lxc" {
  type = "batch"
  group "g" {
    task "greet" {
      driver = "lxc"
      config {
        template     = "busybox"
        network_mode = "none"
        command      = "/bin/sh"
        args         = ["-c", "echo \"Hello from $(hostname), as $(id -u)\"; cat /proc/self/uid_map; echo /alloc /local /secrets"]
      }
      resources {
        memory = 64
      }
    }
  }
}
