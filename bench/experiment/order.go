package experiment

// order is the order in which a round takes n servers: forwards, and every
// second round backwards. For two that is AB BA AB BA, which a drift of the
// machine that is steady does not tell apart.
func order(n, round int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
		if round%2 == 1 {
			list[i] = n - 1 - i
		}
	}
	return list
}
