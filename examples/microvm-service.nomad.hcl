# A service in a machine of its own, on a network of its group: a port of the host, chosen by the scheduler, leads to port 80 of the machine.
# The root file system is a directory that the operator allows:
#   plugin "microvm" { config { image_paths = ["/srv/images"] } }
# Networks of groups need root, nftables and iproute2, or slirp4netns.
variable "rootfs" {
  type    = string
  default = "/srv/images/busybox"
}

job "microvm-service" {
  group "g" {
    network {
      mode     = "bridge"
      hostname = "greeter"

      port "web" {
        to = 80
      }
    }

    task "serve" {
      driver = "microvm"
      config {
        rootfs  = var.rootfs
        command = "/bin/busybox"
        args = ["sh", "-c", <<-SCRIPT
          mkdir /www
          echo "served by $(/bin/busybox hostname)" > /www/index.html
          echo "published as $NOMAD_ADDR_web"
          exec /bin/busybox httpd -f -p $NOMAD_PORT_web -h /www
        SCRIPT
        ]
      }
      resources {
        memory = 128
      }
    }
  }
}
