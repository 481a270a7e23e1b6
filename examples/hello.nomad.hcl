# The first job: a greeting from inside a sandbox. It runs once and ends.
job "hello" {
  type = "batch"

  group "greeting" {
    task "hello" {
      driver = "exec"

      config {
        command = "/bin/sh"
        args = ["-c", <<-EOT
          echo "Hello from $NOMAD_JOB_NAME, allocation $NOMAD_SHORT_ALLOC_ID."
          echo "I am user $(id -u) in $(pwd), and I see $(ls /proc | grep -c '^[0-9]') processes."
          EOT
        ]
      }

      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
