package idmap

import (
	"hash/maphash"
	"testing"

	"pgregory.net/rapid"
)

// TestAgainstMap compares with a plain map under random inserts and removals,
// with few enough ids that probe chains collide and ids of every cell size.
func TestAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, model, byNumber := New(maphash.MakeSeed()), map[string]uint32{}, map[uint32]string{}
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[!-~]{1,128}`), 1, 200, rapid.ID[string]).Draw(t, "ids")
		draw := rapid.SampledFrom(ids)
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				id := draw.Draw(t, "id")
				if _, there := model[id]; there {
					return
				}
				n, ok := m.Insert(Hash(m.seed, []byte(id)), []byte(id))
				if old, taken := byNumber[n]; !ok || taken {
					t.Fatalf("insert %q: number %d, ok %v, which is %q", id, n, ok, old)
				}
				model[id], byNumber[n] = n, id
			},
			"remove": func(t *rapid.T) {
				id := draw.Draw(t, "id")
				if n, there := model[id]; there {
					m.Remove(n)
					delete(model, id)
					delete(byNumber, n)
				}
			},
			"": func(t *rapid.T) {
				if m.Len() != len(model) {
					t.Fatalf("%d ids, want %d", m.Len(), len(model))
				}
				for _, id := range ids {
					n, ok := m.Find(Hash(m.seed, []byte(id)), []byte(id))
					want, there := model[id]
					if ok != there || ok && (n != want || string(m.ID(n)) != id || !m.Used(n)) {
						t.Fatalf("find %q: %d %v, want %d %v", id, n, ok, want, there)
					}
				}
				for n := range m.End() {
					if _, there := byNumber[n]; there != m.Used(n) {
						t.Fatalf("number %d is used: %v", n, m.Used(n))
					}
				}
			},
		})
	})
}
