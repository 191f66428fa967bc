package verify

// words are what is said to a number, where it is right and where it is not.
type words struct {
	entropyOK, entropy string
	chiOK, chi         string
	sigmaOK, sigma     string
	stdDevOK, stdDev   string
	maxOK, max         string
}

var slotWords = words{
	entropyOK: "The slots hold as much of the ids' variety as they can.",
	entropy:   "The ids keep to a part of the slots: this hash does not mix them. Use the roost preset, or look for ids that were made to collide.",
	chiOK:     "The ids fill the slots as chance would.",
	chi:       "Chance does not explain how the ids lie over the slots: this hash maps similar ids to near places. Use the roost preset, or look for ids that were made to collide.",
	sigmaOK:   "The fullest and the emptiest slot are as far apart as chance makes them.",
	sigma:     "The fullest and the emptiest slot are farther apart than chance makes them: look at chi-square, and at prefixes.",
	stdDevOK:  "The slots differ as much as chance makes them.",
	stdDev:    "The slots differ more than chance makes them: see chi-square.",
	maxOK:     "The fullest slot is as full as chance makes it.",
	max:       "One slot is fuller than chance makes it: look for ids that were made to collide, and at prefixes.",
}

var nodeWords = words{
	entropyOK: "The nodes get the ids in the shares that this ring has.",
	entropy:   "The ids do not follow the ring's shares: the hash does not mix them. Compare with the slots.",
	chiOK:     "The ids fill the ring's shares as chance would.",
	chi:       "Chance does not explain how the ids lie over the ring's shares: the hash does not mix them. Compare with the slots.",
	sigmaOK:   "The fullest and the emptiest node are as far from their targets as chance and this ring make them.",
	sigma:     "The fullest and the emptiest node are farther from their targets than chance and this ring make them: compare with the slots.",
	stdDevOK:  "The nodes miss their targets by as much as chance and this ring make them.",
	stdDev:    "The nodes miss their targets by more than chance and this ring make them: compare with the slots.",
	maxOK:     "The fullest node is as far above its target as chance and this ring make it.",
	max:       "One node gets more ids than chance and this ring give it: look at its ids for a common prefix.",
}

// loadWords has only what is judged.
var loadWords = words{
	maxOK: "No node carries much more load than its weight says.",
	max:   "One node carries more load than its weight says. If the ids are spread well a few hot ids do it, and no hash can help: spread their load over more ids, or give the node less weight.",
}

// Sentences for what is not about cells.
const (
	tooEven = "They are spread more evenly than chance does it: the hash keeps the order of ids that are numbered. It does no harm here."
	// fewIDsANode is where load over nodes is uneven, but would be by chance.
	fewIDsANode = "One node carries more load than its weight says, but with so few ids a node, or so few that have most of the load, chance makes that of any hash: there is too little to tell."
	tooLittle   = "Chance does not explain all of it, but what is left is too little to matter."

	ringMaxOK   = "No node's share of the ring is much above what its weight asks for."
	ringMax     = "A node's share of the ring is above what its weight asks for, whatever the ids: build the ring calibrated, or with more points a unit of weight."
	ringSigmaOK = "The shares of the ring are as far apart as the weights ask."
	ringSigma   = "The shares of the ring are uneven, whatever the ids: build it calibrated, or with more points a unit of weight."

	duplicatesOK  = "Each id is there once, or nearly so."
	duplicatesSay = "Ids are repeated. The figures of ids count each once, those of load each time; if the list should have each once, look at where it comes from."

	hotIDOK  = "No single id carries much of what a node should carry."
	hotIDSay = "One id carries a large part of what a node should carry. It lives on one node, so no ring can spread it: split what goes to it over several ids."

	hotPrefixOK  = "No prefix carries far more load than its part of the ids."
	hotPrefixSay = "Ids with one prefix carry far more load than others. The hash of the whole id spreads them, so the ring bears it; who shards or routes by the prefix alone puts all of it in one place."

	unevenOK  = "The ids below each prefix are spread."
	unevenSay = "The ids below a prefix are not spread: the hash does not mix what comes after it. Use the roost preset."
)
