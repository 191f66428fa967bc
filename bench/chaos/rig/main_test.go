package rig

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also a roostd of few words: see fakeNode.
func TestMain(m *testing.M) {
	if os.Getenv("ROOST_RIG_FAKE") != "" {
		if err := fakeNode(os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeNode takes roostd's flags and answers what a rig asks.
func fakeNode(args []string) error {
	fs := flag.NewFlagSet("roostd", flag.ContinueOnError)
	said := map[string]*string{}
	for _, name := range []string{"listen", "api", "auth", "data-dir", "etcd", "redis", "cluster", "environment", "node", "zone",
		"advertise", "advertise-api", "inbox-unknown", "fail"} {
		said[name] = fs.String(name, "", "")
	}
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *said["fail"] != "" {
		return fmt.Errorf("refused: %s", *said["fail"])
	}
	http.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {})
	http.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "# TYPE x gauge\ngo_goroutines 12\nroost_connections{kind=\"device\"} 1\nroost_connections{kind=\"handshake\"} 1\nroost_devices 7\n")
	})
	http.HandleFunc("/v1/ring", func(w http.ResponseWriter, r *http.Request) {
		hash := "0123456789abcdef"
		if _, err := os.Stat(filepath.Join(*said["data-dir"], "other-ring")); err == nil {
			hash = "fedcba9876543210"
		}
		fmt.Fprintf(w, `{"activation":3,"stable":2,"stable_hash":%q,"nodes":[{"id":"n1"},{"id":"n2"}]}`, hash)
	})
	http.HandleFunc("/v1/devices/d1", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"device":"d1","online":true,"node":%q}`, *said["node"])
	})
	fmt.Printf("%s uses etcd %s and Redis %s\n", *said["node"], *said["etcd"], *said["redis"])
	return http.ListenAndServe(*said["api"], nil)
}
