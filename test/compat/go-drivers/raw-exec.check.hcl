# How `drover driver check` makes tasks of Nomad's raw_exec, and what it is known to do.
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
plugin {
  enabled = true
}
excuse "exec ends with its command although its input is open" {
  reason = "its executor waits for the end of the input when there is no terminal"
}
excuse "killed in the middle of starts it leaves nothing, and the next process works" {
  reason = "an executor whose start was not answered yet is found by nobody, and its task runs on"
}
