# A directory of the node inside a sandbox, read-only. The node has to offer it:
#   client { host_volume "code" { path = "/srv/code" read_only = true } }
job "host-volume" {
  type = "batch"

  group "build" {
    volume "code" {
      type      = "host"
      source    = "code"
      read_only = true
    }

    task "list" {
      driver = "exec"
      volume_mount {
        volume      = "code"
        destination = "/code"
        read_only   = true
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "ls /code && ! touch /code/new 2>/dev/null && echo read-only"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
