# How `drover driver check` makes tasks of the driver in main.go. They are no processes: nothing is stubborn, nothing runs inside.
ends {
  text      = "ends"
  exit_code = "${code}"
}
runs {
  text    = "runs"
  run_for = "${ms}ms"
}
fails {
  text    = "fails"
  run_for = "never"
}
says {
  text = "${text}"
}
plugin {
  greeting = "checked"
}
