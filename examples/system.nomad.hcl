# One instance on every node that runs Linux.
job "system" {
  type = "system"

  constraint {
    attribute = "${attr.kernel.name}"
    value     = "linux"
  }

  group "everywhere" {
    task "beat" {
      driver = "exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo on node ${node.unique.name}; while true; do sleep 0.2; done"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
