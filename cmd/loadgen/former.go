package main

import "strings"

// formerModes are the commands that took the place of loadgen --mode.
var formerModes = map[string]string{
	"idle":      "loadgen run idle --count 10k",
	"echo":      "loadgen run echo --rate 10k/s",
	"broadcast": "loadgen run fanout --rate 10/s",
	"kept":      "loadgen run targeted -p class=kept",
	"listen":    "loadgen listen --device d1",
}

// former says what a command line that begins with a flag is called now.
func former(args []string) error {
	for i, arg := range args {
		name, mode, joined := strings.Cut(arg, "=")
		if strings.TrimLeft(name, "-") != "mode" {
			continue
		}
		if !joined && i+1 < len(args) {
			mode = args[i+1]
		}
		if now := formerModes[mode]; now != "" {
			return mistake("--mode %s is no more: %s (loadgen help %s)", mode, now, strings.Fields(now)[1])
		}
		return mistake("--mode is no more: want a command, such as loadgen run smoke")
	}
	return mistake("%s comes behind a command, such as loadgen run smoke %s", args[0], args[0])
}
