# Without a sandbox: raw_exec has to be enabled on the node (`plugin "raw_exec" { config { enabled = true } }`, or agent -dev).
job "raw-exec" {
  type = "batch"

  group "plain" {
    task "show" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo running as $(id -un) in $(pwd)"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
      logs {
        max_files     = 2
        max_file_size = 1
      }
    }
  }
}
