# A task that fails twice before it succeeds: the restart policy gives it another try each time.
job "restart" {
  type = "batch"

  group "stubborn" {
    restart {
      attempts = 3
      interval = "5m"
      delay    = "100ms"
      mode     = "fail"
    }

    task "try" {
      driver = "exec"
      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          n=$(cat $NOMAD_TASK_DIR/tries 2>/dev/null || echo 0)
          echo $((n + 1)) > $NOMAD_TASK_DIR/tries
          echo "try $((n + 1))"
          test "$n" -ge 2
          EOT
        ]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
