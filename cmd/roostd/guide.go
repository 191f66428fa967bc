package main

import (
	"fmt"
	"io"
	"strings"

	"roost/server"
)

// ready says what this node is, that it is ready, and what to try.
func ready(out io.Writer, s *settings, srv *server.Server) {
	c, log := srv.Capacity(), s.opt.Log
	log.Info("capacity", "connections", c.Connections, "limited_by", c.LimitedBy, "nofile", c.Files,
		"by_nofile", c.ByFiles, "by_memory", c.ByMemory, "for_more", c.Hint)
	uring := srv.Uring()
	if uring.OK {
		log.Info("broadcasts go through io_uring")
	} else {
		log.Info("broadcasts go through sendto", "because", "io_uring: "+uring.Why)
	}
	log.Warn("no authentication: anyone on this machine can publish and be any device", "auth", "none")
	fmt.Fprintf(out, "ready listen=%s api=%s\n", srv.Addr(), srv.APIAddr())
	if s.guide {
		guide(out, srv)
	}
	if s.guide && s.cluster.on() {
		guideCluster(out, s, srv)
	}
	if s.guide {
		fmt.Fprint(out, "Ctrl-C ends the node.\n\n")
	}
}

// guide prints what a new user wants to know.
func guide(out io.Writer, srv *server.Server) {
	dev, api := srv.Addr(), srv.APIAddr()
	fmt.Fprintf(out, `
  devices    ws://%[1]s/v1/connect?device=ID
  API        http://%[2]s/v1/publish
  metrics    http://%[2]s/metrics

Listen as a device (in another terminal), then send to everybody (in a third):

  bin/loadgen listen --url ws://%[1]s/v1/connect --device d1
  curl -d '{"all":true,"payload":{"hello":"world"}}' http://%[2]s/v1/publish

Any WebSocket client will do: npx wscat -s roost.v1.json -c 'ws://%[1]s/v1/connect?device=d1'

`, dev, api)
}

// guideCluster prints what there is beside in a cluster.
func guideCluster(out io.Writer, s *settings, srv *server.Server) {
	c := &s.cluster
	fmt.Fprintf(out, `This is node %[1]s of cluster %[2]s (%[3]s). Who is there, which ring is in force, and where a device belongs:

  curl http://%[4]s/v1/cluster
  curl http://%[4]s/v1/ring
  curl 'http://%[4]s/v1/route?device=d1'

Empty this node within two minutes, and have it back:

  bin/roostctl drain %[1]s --over 2m --etcd %[5]s --etcd-prefix %[6]s --cluster %[2]s
  bin/roostctl drain %[1]s --stop --etcd %[5]s --etcd-prefix %[6]s --cluster %[2]s

`, s.opt.Node, c.id.ID, c.id.Environment, srv.APIAddr(), strings.Join(c.etcd.Endpoints, ","), c.prefix)
}
