package redact

import (
	"slices"
	"strings"
	"testing"
)

func TestArgv(t *testing.T) {
	for _, c := range []struct{ in, want []string }{
		{[]string{"srv", "--api-token=abc", "--password", "x y", "--listen", "127.0.0.1:1", "--secret", "--v", "token", "--auth=token"},
			[]string{"srv", "--api-token=***", "--password", "***", "--listen", "127.0.0.1:1", "--secret", "--v", "token", "--auth=token"}},
		{[]string{"loadgen", "run", "x.yaml", "--token", "s3", "--url", "ws://u:p@h:1/?api_key=s3&a=b", "--set", "server.restart=TOKEN=s3 roostd --token s3 &"},
			[]string{"loadgen", "run", "x.yaml", "--token", "***", "--url", "ws://***@h:1/?api_key=***&a=b", "--set", "server.restart=TOKEN=*** roostd --token *** &"}},
		{nil, []string{}},
	} {
		if got := Argv(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%q", got)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		`target: {url: ["ws://127.0.0.1:1/v1?x=y"], api: ["http://KEY@h:2/api"]}`: `target: {url: ["ws://127.0.0.1:1/v1?x=y"], api: ["http://***@h:2/api"]}`,
		`api: ["http://h/?api_key=abc", "http://h/?key=abc#f"]`:                   `api: ["http://h/?api_key=***", "http://h/?key=***#f"]`,
		`restart: "A_SECRET=abc srv --http-token abc --port 1"`:                   `restart: "A_SECRET=*** srv --http-token *** --port 1"`,
		"curl -H 'Authorization: Bearer ab.c-d_e'":                                "curl -H 'Authorization: Bearer ***'",
		"publish: HTTP 401: the token is wrong":                                   "publish: HTTP 401: the token is wrong",
		"ws://h/@x, mail a@b.c, x=1":                                              "ws://h/@x, mail a@b.c, x=1",
		"":                                                                        "",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q:\n%q, want\n%q", in, got, want)
		}
	}
}

// FuzzText: what is redacted stays as it is when it is redacted again, and what
// no rule is about is left alone.
func FuzzText(f *testing.F) {
	for _, s := range []string{"--token abc", "a=b", "ws://u:p@h/?key=1", "x_token=\"a b\"", "Bearer a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Text(s)
		if twice := Text(once); twice != once {
			t.Errorf("%q: %q, then %q", s, once, twice)
		}
		if !strings.ContainsAny(s, "=@ \t\n\r\f\v\u0085") && once != s {
			t.Errorf("%q: %q", s, once)
		}
	})
}
