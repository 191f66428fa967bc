package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// guide prints what there is and what to try. Its lines are run by the test as they
// are.
func (d *desk) guide() {
	var b strings.Builder
	fmt.Fprintf(&b, "ready: %d nodes in %d zones on one ring\n\n", len(d.nodes), min(len(d.nodes), len(zones)))
	for _, n := range d.nodes {
		fmt.Fprintf(&b, "  %-6s %s  devices ws://%s  API http://%s  pid %d\n", n.name, n.zone, n.listen, n.api, n.p.Pid())
	}
	fmt.Fprintf(&b, "  %-6s %s  pid %d\n  %-6s %s  pid %d\n", "etcd", d.etcd.Addr(), d.etcd.Pid(), "redis", d.redis.Addr(), d.redis.Pid())
	kept := "removed at the end"
	if !d.owner.temp {
		kept = "stays"
	}
	fmt.Fprintf(&b, "  %-6s %s (data and logs, %s)\n\nIn other terminals:\n\n", "files", d.owner.dir, kept)
	first, last := d.nodes[0], d.nodes[len(d.nodes)-1]
	ctl := d.command("roostctl")
	for _, l := range [][2]string{
		{"be a device", fmt.Sprintf("%s listen --url ws://%s/v1/connect --device d1", d.command("loadgen"), last.listen)},
		{"publish", fmt.Sprintf(`curl -s -d '{"device":"d1","payload":{"hello":"world"}}' http://%s/v1/publish`, first.api)},
		{"to everybody", fmt.Sprintf(`curl -s -d '{"all":true,"payload":{"hello":"all"}}' http://%s/v1/publish`, first.api)},
		{"whose is it", fmt.Sprintf("curl -s 'http://%s/v1/route?device=d1'", first.api)},
		{"and offline", fmt.Sprintf("%s route --device d1 --etcd %s", ctl, d.etcd.Addr())},
		{"where it is", fmt.Sprintf("curl -s http://%s/v1/devices/d1", first.api)},
		{"look", fmt.Sprintf("curl -s http://%s/v1/cluster", first.api)},
		{"the ring", fmt.Sprintf("%s ring status --etcd %s", ctl, d.etcd.Addr())},
		{"plan", fmt.Sprintf("%s ring plan --etcd %s --remove %s", ctl, d.etcd.Addr(), last.name)},
		{"drain", fmt.Sprintf("%s drain %s --over 10s --etcd %s", ctl, first.name, d.etcd.Addr())},
		{"stop that", fmt.Sprintf("%s drain %s --stop --etcd %s", ctl, first.name, d.etcd.Addr())},
		{"kill a node", fmt.Sprintf("kill -9 %d", first.p.Pid())},
		{"start again", fmt.Sprintf("%s %s", d.command("roostd"), strings.Join(first.args, " "))},
	} {
		fmt.Fprintf(&b, "  %-13s %s\n", l[0], l[1])
	}
	b.WriteString("\nCtrl-C ends all of it.\n")
	fmt.Fprint(d.out, b.String())
}

// command is how to call one of ours, from the current folder if it lies below.
func (d *desk) command(name string) string {
	path := filepath.Join(d.bin, name)
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}
