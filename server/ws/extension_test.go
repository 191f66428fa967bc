package ws

import (
	"strings"
	"testing"
)

// TestNegotiate: offers, one line a header (RFC 7692, 5.1 and 7.1). want is
// our answer, empty for none.
func TestNegotiate(t *testing.T) {
	const yes = DeflateOffer
	bits := func(n string) string { return DeflateOffer + "; server_max_window_bits=" + n }
	for _, c := range []struct{ name, offer, want string }{
		{"nothing", "", ""},
		{"another extension", "x-webkit-deflate-frame", ""},
		{"plain", "permessage-deflate", yes},
		{"browser", "permessage-deflate; client_max_window_bits", yes},
		{"case", "Permessage-Deflate; Client_Max_Window_Bits", yes},
		{"all parameters", "permessage-deflate;server_no_context_takeover;client_no_context_takeover ; server_max_window_bits=10 ; client_max_window_bits=9", bits("10")},
		{"7.1.2.1 lowest", "permessage-deflate; server_max_window_bits=8", bits("8")},
		{"7.1.2.1 highest", "permessage-deflate; server_max_window_bits=15", bits("15")},
		{"7.1.2.1 too low", "permessage-deflate; server_max_window_bits=7", ""},
		{"7.1.2.1 too high", "permessage-deflate; server_max_window_bits=16", ""},
		{"7.1.2.1 leading zero", "permessage-deflate; server_max_window_bits=08", ""},
		{"7.1.2.1 no value", "permessage-deflate; server_max_window_bits", ""},
		{"7.1.2.1 empty value", "permessage-deflate; server_max_window_bits=", ""},
		{"7.1.2.1 no number", "permessage-deflate; server_max_window_bits=1x", ""},
		{"7.1.2.1 three digits", "permessage-deflate; server_max_window_bits=100", ""},
		{"7.1.2.2 too low", "permessage-deflate; client_max_window_bits=7", ""},
		{"7.1.2.2 empty value", "permessage-deflate; client_max_window_bits=", ""},
		{"7.1.1.1 value", "permessage-deflate; server_no_context_takeover=1", ""},
		{"7.1.1.2 value", "permessage-deflate; client_no_context_takeover=true", ""},
		{"5.1 unknown parameter", "permessage-deflate; x=1", ""},
		{"5.1 empty parameter", "permessage-deflate;", ""},
		{"7.1 repeated", "permessage-deflate; server_no_context_takeover; server_no_context_takeover", ""},
		{"7.1 repeated bits", "permessage-deflate; client_max_window_bits; client_max_window_bits=10", ""},
		{"7.1 repeated server bits", "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", ""},
		{"quoted value", `permessage-deflate; server_max_window_bits="12"`, bits("12")},
		{"quoted without end", `permessage-deflate; server_max_window_bits="12`, ""},
		{"quoted nothing", `permessage-deflate; server_max_window_bits=""`, ""},
		{"quoted escape", `permessage-deflate; server_max_window_bits="\12"`, ""},
		{"quoted comma is inside", `foo; a="x, permessage-deflate", bar`, ""},
		{"quoted escaped quote", `foo; a="x\", permessage-deflate", permessage-deflate`, yes},
		{"rubbish behind a quoted value", `permessage-deflate; server_max_window_bits="12"x, permessage-deflate`, yes},
		{"quoted rubbish with a comma", `permessage-deflate "a, permessage-deflate"`, ""},
		{"behind quoted rubbish", `foo "a, b", permessage-deflate`, yes},
		{"second offer", "permessage-deflate; x, permessage-deflate; server_max_window_bits=9", bits("9")},
		{"first that fits", "permessage-deflate; server_max_window_bits=9, permessage-deflate", bits("9")},
		{"second header", "permessage-deflate; x\npermessage-deflate", yes},
		{"behind another extension", "foo; bar=\"baz\" , , permessage-deflate", yes},
		{"longer name", "permessage-deflate2", ""},
		{"no name", "; server_no_context_takeover", ""},
		{"space in the name", "permessage- deflate", ""},
		{"equals behind the name", "permessage-deflate=1", ""},
		{"tabs", "\tpermessage-deflate\t;\tclient_max_window_bits\t", yes},
	} {
		t.Run(c.name, func(t *testing.T) {
			var values [][]byte
			for line := range strings.SplitSeq(c.offer, "\n") {
				values = append(values, []byte(line))
			}
			d, ok := Negotiate(values)
			got := ""
			if ok {
				got = string(d.AppendAnswer(nil))
			}
			if got != c.want || ok != d.On() {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestDeflateBits(t *testing.T) {
	if d := (Deflate{}); d.On() || d.Bits() != 0 {
		t.Error("the zero Deflate is on")
	}
	for offer, bits := range map[string]int{"permessage-deflate": 15, "permessage-deflate; server_max_window_bits=11": 11} {
		if d, _ := Negotiate([][]byte{[]byte(offer)}); d.Bits() != bits {
			t.Errorf("%s: %d bits", offer, d.Bits())
		}
	}
}
