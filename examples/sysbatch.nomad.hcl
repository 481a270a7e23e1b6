# Runs once on every node and ends.
job "sysbatch" {
  type = "sysbatch"

  group "once" {
    task "inventory" {
      driver = "exec"
      config {
        command = "/bin/uname"
        args    = ["-sr"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
