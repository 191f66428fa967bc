package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"testing"
)

// vector is one entry of docs/vectors.json, which clients in other languages
// read too.
type vector struct {
	Name   string
	From   string         // "S" or "D"
	JSON   *string        // the text message; nil: this one exists in the other form only
	Bin    *string        // the binary message, in hex
	Fields map[string]any // by their JSON keys; numbers above 2^53-1 as strings
	Accept bool           // understood, but not written so
	Error  string         // code: not understood
}

// In Fields, "payload" is the payload in hex, "" if there is none, and "raw" says that the
// JSON form carries it as base64.

func vectors(t testing.TB) (list []vector) {
	t.Helper()
	data, err := os.ReadFile("../../docs/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list
}

// forms returns the messages of a vector, nil for a form that it does not have.
func (v *vector) forms(t testing.TB) (forms [Formats][]byte) {
	t.Helper()
	if v.JSON != nil {
		forms[JSON] = []byte(*v.JSON)
	}
	if v.Bin != nil {
		b, err := hex.DecodeString(*v.Bin)
		if err != nil {
			t.Fatal(err)
		}
		forms[Binary] = append([]byte{}, b...)
	}
	return forms
}

// TestVectors: each message of docs/vectors.json is understood as it says, and,
// unless it says otherwise, written exactly so.
func TestVectors(t *testing.T) {
	seen := map[string]int{}
	for _, v := range vectors(t) {
		t.Run(v.From+" "+v.Name, func(t *testing.T) {
			for f, msg := range v.forms(t) {
				if msg == nil {
					continue
				}
				got, err := v.parse(Format(f), msg)
				if v.Error != "" {
					if err == nil || err.Code != v.Error {
						t.Fatalf("%v: %q: got %v, %v; want an error with code %s", Format(f), msg, got, err, v.Error)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%v: %q: %v", Format(f), msg, err)
				}
				if want := v.want(Format(f)); !reflect.DeepEqual(got, want) {
					t.Fatalf("%v: %q:\ngot  %v\nwant %v", Format(f), msg, got, want)
				}
				seen[v.From+got["t"]]++
				if out := v.append(t, Format(f)); !v.Accept && !bytes.Equal(out, msg) {
					t.Fatalf("%v: appended %q, want %q", Format(f), out, msg)
				}
			}
		})
	}
	for _, kind := range []string{"Swelcome", "Smsg", "Sskip", "Shb", "Sres", "Serr", "Saway", "Dhb", "Dack", "Dsub", "Dunsub", "Dup", "Dauth"} {
		if seen[kind] < 2 {
			t.Errorf("%s: %d vectors", kind, seen[kind])
		}
	}
}

// want is Fields as flat strings. A binary message does not say whether its
// payload is raw.
func (v *vector) want(f Format) map[string]string {
	m := flat("", v.Fields)
	if f == Binary {
		delete(m, "raw")
	}
	return m
}

func flat(prefix string, in map[string]any) map[string]string {
	m := map[string]string{}
	for k, val := range in {
		if inner, ok := val.(map[string]any); ok {
			for k, s := range flat(k+".", inner) {
				m[k] = s
			}
			continue
		}
		m[prefix+k] = fmt.Sprint(val)
	}
	return m
}

// parse returns the fields of a message as flat strings.
func (v *vector) parse(f Format, msg []byte) (map[string]string, *Error) {
	if v.From == "D" {
		var up Up
		err := Parse(f, msg, &up)
		return upFields(&up), err
	}
	var d Down
	err := ParseDown(f, msg, &d)
	return downFields(&d), err
}

func upFields(up *Up) map[string]string {
	m := map[string]string{"t": up.Op.String()}
	if up.HasSeq {
		m["seq"] = fmt.Sprint(up.Seq)
	}
	switch up.Op {
	case OpSubscribe, OpUnsubscribe:
		m["r"], m["ch"] = fmt.Sprint(up.Request), string(up.Channel)
	case OpUp:
		m["ch"], m["payload"] = string(up.Channel), hex.EncodeToString(up.Payload)
	case OpAuth:
		m["token"] = string(up.Token)
	}
	return m
}

func downFields(d *Down) map[string]string {
	m := map[string]string{"t": d.Op.String()}
	set := func(k string, v any) { m[k] = fmt.Sprint(v) }
	switch d.Op {
	case OpWelcome:
		w := &d.Welcome
		set("sid", string(w.SID))
		set("epoch", w.Epoch)
		set("seq", w.Seq)
		set("acked", w.Acked)
		if w.From != 0 {
			set("from", w.From)
		}
		set("resumed", w.Resumed)
		set("hb", w.Heartbeat)
		set("spread", w.Spread)
		if w.Wide != 0 {
			set("wide", w.Wide)
		}
		set("node", w.Node)
		set("max", w.Max)
		set("win", w.Win)
		ringFields(m, w.Ring)
		set("back.base", w.Back.Base)
		set("back.max", w.Back.Max)
	case OpMessage:
		if d.Message.Seq != 0 {
			set("seq", d.Message.Seq)
			set("ttl", d.Message.TTL)
		}
		if len(d.Message.ID) > 0 {
			set("id", string(d.Message.ID))
		}
		if len(d.Message.Channel) > 0 {
			set("ch", string(d.Message.Channel))
		}
		if d.Message.Raw {
			set("raw", true)
		}
		set("payload", hex.EncodeToString(d.AppendPayload(nil)))
	case OpHeartbeat:
		set("spread", d.Spread)
		if d.Wide != 0 {
			set("wide", d.Wide)
		}
		ringFields(m, d.Ring)
	case OpSkip:
		set("to", d.To)
		set("why", string(d.Why))
	case OpResult:
		set("r", d.Request)
		set("ok", d.OK)
	case OpAway:
		set("code", d.Close)
		set("in", d.In)
		if len(d.URL) > 0 {
			set("url", string(d.URL))
		}
	}
	if d.Op == OpError || d.Op == OpResult && !d.OK {
		set("code", string(d.Code))
		set("text", string(d.Text))
	}
	return m
}

// ringFields adds the keys of a ring, if there is one.
func ringFields(m map[string]string, r Ring) {
	if r != (Ring{}) {
		m["ring"], m["rh"] = fmt.Sprint(r.Version), fmt.Sprintf("%016x", r.Hash)
	}
}

// append writes the message that Fields say.
func (v *vector) append(t *testing.T, f Format) []byte {
	m := v.want(JSON)
	number := func(k string) uint64 {
		n, err := strconv.ParseUint(m[k], 10, 64)
		if _, has := m[k]; has && err != nil {
			t.Fatal(err)
		}
		return n
	}
	payload, err := hex.DecodeString(m["payload"])
	if err != nil {
		t.Fatal(err)
	}
	ring := Ring{Version: number("ring")}
	ring.Hash, _ = strconv.ParseUint(m["rh"], 16, 64)
	if v.From == "D" {
		up := Up{Seq: number("seq"), Request: number("r"), Channel: []byte(m["ch"]), Payload: payload, Token: []byte(m["token"])}
		_, up.HasSeq = m["seq"]
		for o, name := range opNames {
			if name == m["t"] {
				up.Op = Op(o)
			}
		}
		return AppendUp(nil, f, &up)
	}
	switch m["t"] {
	case "welcome":
		return AppendWelcome(nil, f, &Welcome{SID: []byte(m["sid"]), Epoch: m["epoch"], Seq: number("seq"), Acked: number("acked"),
			From: number("from"), Resumed: m["resumed"] == "true", Heartbeat: int(number("hb")), Spread: int(number("spread")), Wide: int(number("wide")),
			Node: m["node"], Max: int(number("max")), Win: int(number("win")), Ring: ring,
			Back: Back{Base: int(number("back.base")), Max: int(number("back.max"))}})
	case "msg":
		return AppendMessage(nil, f, &Message{Seq: number("seq"), TTL: number("ttl"), ID: []byte(m["id"]), Channel: []byte(m["ch"]),
			Payload: payload, Raw: m["raw"] == "true"})
	case "skip":
		return AppendSkip(nil, f, number("to"), m["why"])
	case "hb":
		return AppendHeartbeat(nil, f, int(number("spread")), int(number("wide")), ring)
	case "res":
		if m["ok"] == "true" {
			return AppendResult(nil, f, number("r"), nil)
		}
		return AppendResult(nil, f, number("r"), &Error{m["code"], m["text"]})
	case "err":
		return AppendError(nil, f, &Error{m["code"], m["text"]})
	case "away":
		return AppendAway(nil, f, uint16(number("code")), int(number("in")), m["url"])
	}
	t.Fatalf("no such message: %v", m)
	return nil
}
