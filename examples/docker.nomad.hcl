# A container of the Docker daemon on the node: an image, a command in it, and what it may use.
job "docker" {
  type = "batch"

  group "docker" {
    task "greet" {
      driver = "docker"
      user   = "nobody"

      config {
        image    = "busybox:1"
        command  = "sh"
        args     = ["-c", "echo Hello from $(hostname), as $(id -un); ls -d /alloc /local /secrets"]
        hostname = "a-container"
        cap_drop = ["all"]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
