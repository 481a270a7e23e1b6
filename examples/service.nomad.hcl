# A service with a dynamic port: rolled out one at a time, restarted when it fails, stopped gently.
variable "greeting" {
  type        = string
  default     = "It works."
  description = "What the service says."
}

job "service" {
  type = "service"

  update {
    max_parallel     = 1
    min_healthy_time = "1s"
    healthy_deadline = "1m"
  }

  group "site" {
    count          = 2
    shutdown_delay = "100ms"

    network {
      port "http" {}
    }

    restart {
      attempts = 3
      interval = "5m"
      delay    = "2s"
      mode     = "delay"
    }

    task "serve" {
      driver      = "exec"
      kill_signal = "SIGTERM"

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          trap 'echo stopping; exit 0' TERM
          echo "$GREETING Would listen on $NOMAD_ADDR_http."
          while true; do sleep 0.2; done
          EOT
        ]
      }

      env {
        GREETING = var.greeting
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
