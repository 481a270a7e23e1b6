# A whole machine from a disk image that the operator allows:
#   plugin "qemu" { config { image_paths = ["/srv/images"] } }
variable "image" {
  type    = string
  default = "/srv/images/disk.img"
}

job "qemu" {
  type = "batch"
  group "g" {
    task "machine" {
      driver = "qemu"
      config {
        image_path        = var.image
        accelerator       = "tcg"
        graceful_shutdown = true
        # a guest that restarts ends
        args = ["-no-reboot"]
      }
      resources {
        memory = 128
      }
    }
  }
}
