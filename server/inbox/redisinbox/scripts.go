package redisinbox

import (
	"crypto/sha1" //nolint:gosec // it is how Redis names scripts
	_ "embed"
	"encoding/hex"
)

// script is a Lua script and the name that Redis gives it.
type script struct {
	text    string
	sha     string
	bounded bool // it begins with late.lua
}

//go:embed lua/lib.lua
var libLua string

// claimLua numbers sessions. It is the one place where presence comes in: presenceLua is
// the same by presence's function, so that a connect claims the device and opens its
// inbox in one script.
//
//go:embed lua/claim.lua
var claimLua string

//go:embed lua/claim_presence.lua
var presenceLua string

//go:embed lua/put.lua
var putLua string

//go:embed lua/note.lua
var noteLua string

//go:embed lua/open.lua
var openLua string

//go:embed lua/ack.lua
var ackLua string

//go:embed lua/look.lua
var lookLua string

//go:embed lua/fetch.lua
var fetchLua string

//go:embed lua/lookup.lua
var lookupLua string

//go:embed lua/check.lua
var checkLua string

//go:embed lua/late.lua
var lateLua string

//go:embed lua/index.lua
var indexLua string

//go:embed lua/latest.lua
var latestLua string

//go:embed lua/audit.lua
var auditLua string

//go:embed lua/subscribe.lua
var subscribeLua string

//go:embed lua/remove.lua
var removeLua string

var (
	noteScript      = newScript(noteLua)
	openScript      = newScript(lateLua, libLua, claimLua, openLua)
	ackScript       = newScript(libLua, ackLua)
	lookScript      = newScript(libLua, lookLua)
	fetchScript     = newScript(libLua, fetchLua)
	lookupScript    = newScript(libLua, lookupLua)
	checkScript     = newScript(libLua, checkLua)
	subscribeScript = newScript(lateLua, libLua, subscribeLua)
	removeScript    = newScript(lateLua, libLua, removeLua)
	latestScript    = newScript(lateLua, latestLua)
	indexScript     = newScript(indexLua)
	auditScript     = newScript(libLua, auditLua)
	// A key makes it one node's of a cluster, always the same.
	timeScript = newScript("return redis.call('TIME')")
)

// scripts are all of them: a server that has just started is given them at once.
var scripts = []*script{noteScript, openScript, ackScript, lookScript, fetchScript,
	lookupScript, checkScript, subscribeScript, removeScript, latestScript, indexScript, auditScript, timeScript}

// openWith returns the script open of a store.
func openWith(p *Presence) *script {
	if p == nil {
		return openScript
	}
	return newScript(lateLua, libLua, p.Lua, presenceLua, openLua)
}

// putWith returns the script put of a store.
func putWith(n *Notify) *script {
	if n == nil {
		return newScript(libLua, putLua)
	}
	return newScript(libLua, n.Lua, putLua)
}

func newScript(parts ...string) *script {
	text := ""
	for _, p := range parts {
		text += p + "\n"
	}
	sum := sha1.Sum([]byte(text)) //nolint:gosec // see above
	return &script{text: text, sha: hex.EncodeToString(sum[:]), bounded: parts[0] == lateLua}
}
