package scenario

import "testing"

// TestQuantities: what is read is written as a file has it.
func TestQuantities(t *testing.T) {
	for _, c := range []struct {
		like, text, want string
		n                int64
	}{
		{"1000", "1k", "1000", 1000}, {"10k", "7", "7", 7}, {"100/s", "2k/s", "2000/s", 2000}, {"30/m", "5", "5/s", 5},
		{"30s", "1m30s", "1m30s", 90_000}, {"128B", "4KiB", "4096B", 4096},
	} {
		q, ok := QuantityOf(c.like)
		n, err := q.Read(c.text)
		if !ok || err != nil || n != c.n || q.Write(n) != c.want {
			t.Errorf("%s as %s: %d, %q, %v", c.text, c.like, n, q.Write(n), err)
		}
		if again, err := q.Read(q.Write(n)); err != nil || again != n {
			t.Errorf("%s: %d, %v", q.Write(n), again, err)
		}
	}
	for _, like := range []string{"10%", "kept", ""} {
		if q, ok := QuantityOf(like); ok {
			t.Errorf("%q is of kind %d", like, q)
		}
	}
	for q, text := range map[Quantity]string{CountQuantity: "5s", RateQuantity: "0.5/s", TimeQuantity: "30", SizeQuantity: "1.5B"} {
		if n, err := q.Read(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}
