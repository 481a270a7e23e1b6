# Tasks around a main task: one before it, one beside it, one after it.
job "lifecycle" {
  type = "batch"

  group "work" {
    task "prepare" {
      driver = "exec"
      lifecycle {
        hook = "prestart"
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "echo 21 > $NOMAD_ALLOC_DIR/data/input; echo prepared"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }

    task "watch" {
      driver = "exec"
      lifecycle {
        hook    = "prestart"
        sidecar = true
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "echo watching; while true; do sleep 0.2; done"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }

    task "compute" {
      driver = "exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo $(( $(cat $NOMAD_ALLOC_DIR/data/input) * 2 ))"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }

    task "clean" {
      driver = "exec"
      lifecycle {
        hook = "poststop"
      }
      config {
        command = "/bin/sh"
        args    = ["-c", "rm -f $NOMAD_ALLOC_DIR/data/input; echo cleaned"]
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}
