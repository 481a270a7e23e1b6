# The host's Java virtual machine, isolated like any command: a class of its own library tells what it can do.
job "java" {
  type = "batch"

  group "java" {
    task "properties" {
      driver = "java"

      config {
        class       = "sun.security.tools.keytool.Main"
        args        = ["-showinfo", "-tls"]
        jvm_options = ["-Xmx64m", "-XX:+UseSerialGC"]
      }

      resources {
        cpu    = 500
        memory = 256
      }
    }
  }
}
