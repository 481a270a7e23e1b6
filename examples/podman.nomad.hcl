# A container of podman's service on the node: an image, a command in it, and what it may use.
job "podman" {
  type = "batch"

  group "podman" {
    task "greet" {
      driver = "podman"
      user   = "nobody"

      config {
        image    = "localhost/busybox:1"
        command  = "sh"
        args     = ["-c", "echo Hello from $(hostname), as $(id -un); ls -d /alloc /local /secrets"]
        hostname = "a-container"
        cap_drop = ["all"]
        ulimit = {
          nofile = "1024:1024"
          nproc  = "1024:1024"
        }
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
