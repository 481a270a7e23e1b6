# Two tasks in one network namespace: they meet on its loopback, and nothing else of the host's network is theirs.
# The node needs root, nftables and iproute2.
job "bridge" {
  group "pair" {
    network {
      mode     = "bridge"
      hostname = "pair"

      # a port of the host, chosen by the scheduler, that leads to port 80 inside
      port "web" {
        to = 80
      }
    }

    task "serve" {
      driver = "exec"
      config {
        command = "/usr/bin/perl"
        args    = ["-MIO::Socket::INET", "-e", <<-PERL
          my $socket = IO::Socket::INET->new(LocalPort => $ENV{NOMAD_PORT_web}, Listen => 8, ReuseAddr => 1) or die $!;
          while (my $client = $socket->accept) { print $client "served in $ENV{NOMAD_ALLOC_IP_web}\n"; close $client }
        PERL
        ]
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }

    task "ask" {
      driver = "exec"
      lifecycle {
        hook    = "poststart"
        sidecar = true
      }
      config {
        command = "/usr/bin/perl"
        args    = ["-MIO::Socket::INET", "-e", <<-PERL
          $| = 1;
          my $socket;
          $socket = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => 80) or sleep 1 until $socket;
          print <$socket>, "published as $ENV{NOMAD_ADDR_web}\n";
          sleep;
        PERL
        ]
      }
      resources {
        cpu    = 50
        memory = 32
      }
    }
  }
}
