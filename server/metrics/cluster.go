package metrics

// The metrics of a node in a cluster.
var (
	Members        = Desc{"roost_cluster_members", Gauge, "Nodes that are there, this one included, by what etcd says."}
	EtcdRevision   = Desc{"roost_etcd_revision", Gauge, "Revision of etcd up to which the view is complete."}
	EtcdStale      = Desc{"roost_etcd_stale_seconds", Gauge, "Seconds since etcd was heard last; 0 while it is heard."}
	RingActivation = Desc{"roost_ring_activation", Gauge, "Activation of the rings in force: goes up with every change."}
	RingVersion    = Desc{"roost_ring_version", Gauge, "Version of the rings in force."}
	RingShare      = Desc{"roost_ring_canary_share", Gauge, "Part of the keys that the canary answers for, 0 to 1."}
	RingInfo       = Desc{"roost_ring_info", Gauge, "1, with versions and content hashes of the rings in force as labels."}
	RingNodes      = Desc{"roost_ring_nodes", Gauge, "Other nodes by the rings that they say they hold: same, other, unknown."}

	PresenceUp      = Desc{"roost_presence_up", Gauge, "1 if presence answers and has heard of this node."}
	PresenceDevices = Desc{"roost_presence_devices", Gauge, "Devices connected here, by whether presence has heard of them."}
	PresencePending = Desc{"roost_presence_pending", Gauge, "Ends of connections that presence has not heard of."}
	PresenceNodes   = Desc{"roost_presence_nodes", Gauge, "Starts of nodes that presence knows, by how they are."}
	PresenceDone    = Desc{"roost_presence_total", Counter, "What was done for presence, by what."}

	BusUp           = Desc{"roost_bus_up", Gauge, "1 if every channel that should be is listened to."}
	BusRoundTrip    = Desc{"roost_bus_round_trip_seconds", Gauge, "Round trip of the last probe to this node's own channel."}
	BusListeners    = Desc{"roost_bus_listeners", Gauge, "Listeners on this node's own channel: more than 1 is a twin."}
	BusTopics       = Desc{"roost_bus_topics", Gauge, "Topics listened to."}
	BusWaiting      = Desc{"roost_bus_waiting_bytes", Gauge, "Bytes that wait to be sent to other nodes."}
	BusResubscribed = Desc{"roost_bus_resubscribed_total", Counter, "Times that channels were listened to again."}
	BusSent         = Desc{"roost_bus_sent_total", Counter, "Envelopes sent to other nodes, by result."}
	BusReceived     = Desc{"roost_bus_received_total", Counter, "Envelopes of other nodes, by queue."}
	BusDropped      = Desc{"roost_bus_dropped_total", Counter, "Envelopes of other nodes that a full queue did not take, by queue."}
	BusRefused      = Desc{"roost_bus_refused_total", Counter, "What came and was left alone: not an envelope, or of a kind that this version does not know."}

	MeshSent     = Desc{"roost_mesh_sent_total", Counter, "What was said to other nodes, by kind."}
	MeshReceived = Desc{"roost_mesh_received_total", Counter, "What other nodes said, by kind."}
	MeshLooked   = Desc{"roost_mesh_looked_total", Counter, "Live messages to devices elsewhere, by whether the ring said where, by side of a trial."}
	MeshDone     = Desc{"roost_mesh_total", Counter, "What happened between nodes, by what."}

	MeshDebts = Desc{"roost_mesh_debts", Gauge, "Nodes that have to be told to look at what is stored, because word of it could not be sent."}

	Elsewhere = Desc{"roost_elsewhere_total", Counter, "Messages for devices at other nodes, and for those of other nodes, by what became of them."}
	Awaiting  = Desc{"roost_awaiting", Gauge, "Publishers that wait for the acknowledgement of a device here."}
	Resyncs   = Desc{"roost_resyncs_total", Counter, "Looks at what is stored for all devices here, or those of a topic, because word of it may have been lost."}

	RedisForeign = Desc{"roost_redis_foreign", Gauge, "1 while the Redis that answers is not the cluster's, so that it is treated as one that is away."}
	RedisRefused = Desc{"roost_redis_refused_total", Counter, "Connections to Redis that were cut, or not let through, because it is not known to be the cluster's."}
	RedisLosses  = Desc{"roost_redis_losses_total", Counter, "Times that Redis had lost what it had, though it answered."}

	Webhooks = Desc{"roost_webhook_total", Counter, "Deliveries of presence changes to the webhook, by what became of them."}
)
