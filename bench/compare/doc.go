// Package compare says what two sets of result files tell about two servers.
//
// # Rule
//
// Runs come in pairs, neighbours in time (package experiment makes them so).
// Of each metric the ratio B/A of each pair is taken. A metric is
//
//	improved, regressed  if p < alpha and the median ratio is at least the minimum
//	                     effect away from 1; which of them, says its direction
//	within noise         if not, and the interval of the median leaves no room for
//	                     more, or is narrow and has 1 in it
//	inconclusive         if not, and the interval reaches from no effect, or from a
//	                     small one, to an effect: more pairs would tell
//	invalid              if a run failed its own check
//	not comparable       if runs differ in what a comparison depends on
//
// One metric is primary, chosen before; p is its own. The secondary ones are a
// fixed list, corrected together by Holm; it is cut to what so many pairs can
// tell at all (stats.LeastP): 10 pairs, 25 metrics; 6 pairs, one. Everything else
// is shown without a verdict, as looking at a hundred numbers always finds
// something.
//
// How often this errs was simulated (TestVerdictErrorRates: 10 pairs, 12 secondary
// metrics, 1.5 % of noise, a machine that walks by 2 % a run, minimum effect 2 %):
// two equal servers are called regressed in 3.2 % of experiments, by any of the 13
// metrics, and inconclusive in 81 %, as such a machine cannot tell 2 % with 10
// pairs; a true +3 % is called regressed in 74 %, and never improved. Package stats
// has the rates of the test alone.
//
// The minimum effect is 5 % for times and 2 % for everything else. The A/A row
// is A's odd runs against its even ones: what no difference looks like here.
// A value that is missing on one side, 0 or infinite (a quantile that is a miss)
// takes part as what it is: 0 against 0 is a ratio of 1, 0 against 3 is +Inf,
// which is the largest of all.
//
// # Parts
//
// Compare is pure. ReadSide reads files; Text, Markdown, HTML and JSON write.
package compare
