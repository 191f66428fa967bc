package metrics

// Devices that connect to a node of a cluster, and those that belong elsewhere.
var (
	Doors     = Desc{"roost_connecting", Gauge, "Devices that wait for the shared store to open their inbox."}
	Alone     = Desc{"roost_sessions_without_store", Gauge, "Devices connected now that came while the shared store was away: they get live messages alone."}
	CutOff    = Desc{"roost_cut_off", Gauge, "1 if the node is cut off from the shared store, others are not, and it sends its devices to them."}
	Away      = Desc{"roost_away_total", Counter, "Devices that were told to connect elsewhere, by why: connect (not the owner), moving (another ring), again (a move that failed), emptying, coming_back (for a session with the store), shedding (closed with 4101)."}
	Deaf      = Desc{"roost_away_given_up_total", Counter, "Times that a device which should be elsewhere was not told any more: it was told 7 times on its connection, and stays."}
	Window    = Desc{"roost_reconnect_window_seconds", Gauge, "Over how long devices are told to come back, by what has gone: node (this one) or all (every node; 0 is their own backoff)."}
	Overtaken = Desc{"roost_overtaken_total", Counter, "Connections closed because their device has connected to another node, by whose session that is: same, other."}
)
