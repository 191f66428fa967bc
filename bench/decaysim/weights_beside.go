package decaysim

import "roost/decay/plant"

// besides are the figures of the simulation by which the defaults were chosen: of
// the same plant, written apart, with a signal that is the load itself.
var besides = []struct {
	scenario, policy, figure string
	there                    string
	column                   string // of weightsColumns
}{
	{"join", plant.Static, "deviation %", "0.78", "deviation %"},
	{"join", plant.Static, "most of new connections %", "2.0", "joiner: most of new connections %"},
	{"join", plant.Window, "change %", "239", "change %"},
	{"join", plant.Window, "most of new connections %", "23", "joiner: most of new connections %"},
	{"join", plant.Window, "full after s", "170", "90 % full after s"},
	{"join", plant.Floorless, "deviation %", "0.95", "deviation %"},
	{"join", plant.Floorless, "change %", "31", "change %"},
	{"join", plant.Floored, "deviation %", "0.26", "deviation %"},
	{"join", plant.Floored, "change %", "2.4", "change %"},
	{"join", plant.Floored, "full after s", "115", "90 % full after s"},
	{"join", plant.CPUOnly, "deviation %", "0.33", "deviation %"},
	{"join", plant.CPUOnly, "change %", "0.41", "change %"},
	{"join", plant.CPUOnly, "versions/h", "182", "versions/h"},
	{"join", plant.CPUOnly, "most of new connections %", "5.4", "joiner: most of new connections %"},
	{"join", plant.CPUOnly, "full after s", "751", "90 % full after s"},
	{"join", plant.CPUOnly, "most of its fair load", "1.01", "most of its fair load"},
	{"stale", plant.CPUOnly, "deviation %", "0.49", "deviation %"},
	{"unknown", plant.Static, "deviation %", "22.7", "deviation %"},
	{"unknown", plant.CPUOnly, "deviation %", "1.2", "deviation %"},
	{"moves", plant.Window, "deviation %", "80", "deviation %"},
	{"moves", plant.Window, "moved %/h", "33,334", "moved %/h"},
	{"moves", plant.Floored, "deviation %", "81", "deviation %"},
	{"moves", plant.Floored, "moved %/h", "26,838", "moved %/h"},
	{"moves", plant.Default, "deviation %", "18.7", "deviation %"},
	{"moves", plant.Default, "moved %/h", "3,129", "moved %/h"},
	{"moves-unknown", plant.IntegralNo, "moved %/h", "5.3", "moved %/h"},
}

// beside writes them beside this run's.
func (x *weightsReport) beside() {
	x.printf("\n## Beside the simulation by which the defaults were chosen\n\n| scenario | policy | | there | here |\n|---|---|---|---|---|\n")
	for _, b := range besides {
		for _, c := range x.cases {
			if c.Name != b.scenario {
				continue
			}
			for _, col := range weightsColumns {
				if col.title == b.column {
					x.printf("| %s | %s | %s | %s | %s |\n", b.scenario, b.policy, b.figure, b.there, c.number(b.policy, col))
				}
			}
		}
	}
	if x.opt.Quick || x.opt.Seed != 1 {
		return // what follows is what was found at the defaults
	}
	x.printf("\nWhat differs and why:\n\n" +
		"- The joiner gets at most twice its share of capacity of what is placed, as all weights really are; there it was twice its capacity\n" +
		"  against weights that its own emptiness had pushed below 1. It fills in 20 minutes instead of 12.\n" +
		"- A cool-down of 30 s gathers publications: fewer versions of the ring, the same loads. On a ring that moves connections it also slows the cycle.\n" +
		"- Without a floor the size of the change depends on the bounds of the weight (here 0.04 to 25 x capacity): it means \"far too much\", no more.\n" +
		"- The quantile cut is of the population alone. Were a node scored by its own cut value, an empty joiner could not be told from the\n" +
		"  fourth-emptiest of 64 nodes.\n\n" +
		"What else there is to see:\n\n" +
		"- The given forms and the scaled ones have so little gain that a weight leaves the dead band only where loads are far apart: nothing in\n" +
		"  \"steady\", a third of the deviation or nothing in \"unknown\".\n" +
		"- Connections per capacity must be left out where capacities are guesses: in \"unknown\" they hold the default at 10 %%, nocapacity gets to 1.6.\n" +
		"- An integral controller on a ring that only places (\"unknown\", last row) swings for hours: the node integrates too. On one that moves it does not.\n" +
		"- Falling back to capacity weights in a storm helps policies that are not damped. The default is too slow to be misled within the two minutes\n" +
		"  that a storm lasts here; when only a third of the nodes has lost its connections, the fall-back costs it a minute or two.\n")
}
