package main

import (
	"context"

	"roost/loadgen/coord"
)

// runListen is loadgen listen: the mode of that name.
func runListen(ctx context.Context, args []string, t terminal) (coord.Exit, error) {
	return coord.Exit(runModes(ctx, append([]string{"--mode", "listen"}, args...), t.out, t.errout)), nil
}
