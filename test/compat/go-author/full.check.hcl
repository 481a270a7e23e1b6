# How `drover driver check` makes tasks of `author full`.
ends {
  command = "/bin/sh"
  args    = ["-c", "exit ${code}"]
}
runs {
  command = "/bin/sh"
  args    = ["-c", "trap 'exit 0' INT TERM; sleep ${seconds} & wait"]
}
stubborn {
  command = "/bin/sh"
  args    = ["-c", "trap '' INT; while :; do sleep 0.1; done"]
}
fails {
  command = "/no/such/program"
}
says {
  command = "/bin/sh"
  args    = ["-c", "echo ${text}"]
}
execs {
  command = "/bin/sh"
  args    = ["-c", "trap 'exit 0' INT TERM; sleep 60 & wait"]
}
command = ["sh", "-c", "echo out; exit 4"]
excuse "killed in the middle of starts it leaves nothing, and the next process works" {
  reason = "it writes nothing down before a start: a process whose start was not answered is found by nobody"
}
excuse "exec with a terminal gives output, then the code" {
  reason = "it has streams but no terminals, and says so"
}
