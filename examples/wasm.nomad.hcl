# A WASI module: it sees its arguments, its variables and the directories named here, and nothing else. The module is one of those that the
# operator put into a directory of `module_paths`.
job "wasm" {
  type = "batch"

  group "wasm" {
    task "hello" {
      driver = "wasm"

      config {
        module  = "hello.wasm"
        args    = ["Drover"]
        timeout = "30s"

        dir {
          path      = "local"
          guest     = "/data"
          read_only = true
        }
      }

      resources {
        cpu    = 100
        memory = 32
      }
    }
  }
}
