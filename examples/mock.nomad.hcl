# A task that only pretends: for trying out policies. The driver has to be enabled like any other.
job "mock" {
  type = "batch"

  group "pretend" {
    restart {
      attempts = 0
      mode     = "fail"
    }

    task "nothing" {
      driver = "mock_driver"
      config {
        run_for       = "200ms"
        exit_code     = 0
        stdout_string = "pretending\n"
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
