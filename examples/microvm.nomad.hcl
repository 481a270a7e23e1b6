# A command in a machine of its own, under a kernel that is not the node's. The root file system is a directory that the operator allows:
#   plugin "microvm" { config { image_paths = ["/srv/images"] } }
variable "rootfs" {
  type    = string
  default = "/srv/images/busybox"
}

job "microvm" {
  type = "batch"
  group "g" {
    task "kernel" {
      driver = "microvm"
      config {
        rootfs  = var.rootfs
        command = "/bin/busybox"
        args    = ["sh", "-c", "echo \"Hello from a machine of kernel $(/bin/busybox uname -r)\""]
      }
      resources {
        memory = 128
      }
    }
  }
}
