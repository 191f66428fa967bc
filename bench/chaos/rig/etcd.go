package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Prefix is that of all keys of the cluster in etcd.
const Prefix = "/roost"

// etcdTime is how long a request to etcd may take.
const etcdTime = 5 * time.Second

// KV is a key of etcd with its value.
type KV struct {
	Key, Value []byte // base64 in JSON, as encoding/json has it
	Lease      string // a number; empty: none
	Mod        string `json:"mod_revision"`
}

// etcd asks etcd's HTTP gateway.
func (c *Cluster) etcd(path string, ask, answer any) error {
	body, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), etcdTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.Etcd.Addr()+"/v3/"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := asking.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd: %s: HTTP %d: %s", path, resp.StatusCode, data)
	}
	return json.Unmarshal(data, answer)
}

type keyRange struct {
	Key      []byte `json:"key"`
	RangeEnd []byte `json:"range_end,omitempty"`
}

// end is the first key behind all that begin with prefix.
func end(prefix string) []byte {
	b := []byte(prefix)
	b[len(b)-1]++ // no prefix here ends with 0xff
	return b
}

// Keys returns the keys under Prefix that begin with what follows it, and the
// revision of etcd.
func (c *Cluster) Keys(under string) ([]KV, int64, error) {
	var answer struct {
		Header struct{ Revision string }
		KVs    []KV
	}
	prefix := Prefix + under
	if err := c.etcd("kv/range", keyRange{[]byte(prefix), end(prefix)}, &answer); err != nil {
		return nil, 0, err
	}
	revision, err := strconv.ParseInt(answer.Header.Revision, 10, 64)
	return answer.KVs, revision, err
}

// Compact forgets all revisions but the present one: watchers that are behind have
// to list anew.
func (c *Cluster) Compact() error {
	_, revision, err := c.Keys("/")
	if err != nil {
		return err
	}
	return c.etcd("kv/compaction", map[string]any{"revision": revision, "physical": true}, &struct{}{})
}

// Expire ends the leases of a node's keys, as if it had not refreshed them; how many
// there were.
func (c *Cluster) Expire(node string) (int, error) {
	leases := map[string]bool{}
	for _, under := range []string{"/nodes/" + node, "/weights/" + node} {
		keys, _, err := c.Keys(under)
		if err != nil {
			return 0, err
		}
		for _, kv := range keys {
			if kv.Lease != "" && string(kv.Key) == Prefix+under {
				leases[kv.Lease] = true
			}
		}
	}
	for lease := range leases {
		if err := c.etcd("lease/revoke", map[string]string{"ID": lease}, &struct{}{}); err != nil {
			return 0, err
		}
	}
	return len(leases), nil
}

// Put writes the key under Prefix that it is followed by, as somebody would by hand: nothing
// is compared.
func (c *Cluster) Put(under string, value []byte) error {
	return c.etcd("kv/put", map[string][]byte{"key": []byte(Prefix + under), "value": value}, &struct{}{})
}

// Noise writes a key so many times, so that there are revisions to forget.
func (c *Cluster) Noise(times int) error {
	for i := range times {
		if err := c.Put("/config/noise", []byte(strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return nil
}

// Pointer is the ring pointer as etcd has it.
type Pointer struct {
	Stable     uint64 `json:"stable"`
	StableHash string `json:"stable_hash"`
	Canary     uint64 `json:"canary"`
	CanaryHash string `json:"canary_hash"`
	Share      int    `json:"share"`
	RolledBack uint64 `json:"rolled_back"`
	Why        string `json:"why"`

	At time.Time `json:"at"` // by the clock of who changed it
}

// Pointer reads the ring pointer; the zero Pointer if there is none.
func (c *Cluster) Pointer() (p Pointer, err error) {
	keys, _, err := c.Keys("/rings/active")
	if err != nil || len(keys) == 0 {
		return p, err
	}
	return p, json.Unmarshal(keys[0].Value, &p)
}
