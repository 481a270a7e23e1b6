# How `drover driver check` makes tasks of `author bare`, which runs nothing inside of its tasks.
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
excuse "killed in the middle of starts it leaves nothing, and the next process works" {
  reason = "it writes nothing down before a start: a process whose start was not answered is found by nobody"
}
