// Package ledger is the account of kept messages to devices under faults: what
// publishers were told, what devices have handled, and whether the two agree. It
// reads no clock and opens nothing; times are handed in, since one instant.
//
//	Due ──▶ waiting ──Accepted──▶ accepted ──Handled──▶ done
//	           │  ▲
//	           │  ╰── Unanswered: the request may have been done or not; it is repeated
//	           ╰──Refused──▶ refused: nobody may ever handle it
//
// Handled may come before the answer. A message that was never answered for good
// may be handled or not, but once at most.
package ledger
