package main

import (
	"encoding/binary"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"roost/server/inbox/journal"
)

// inJournal appends one record per put: device, seq, id, payload.
type inJournal struct {
	j *journal.Journal
	b journal.Batch
}

func openJournal(dir string) (store, error) {
	fs, err := journal.Dir(dir)
	if err != nil {
		return nil, err
	}
	j, _, err := journal.Open(journal.Options{FS: fs}, nil)
	if err != nil {
		return nil, err
	}
	return &inJournal{j: j}, nil
}

func (s *inJournal) commit(puts []put) error {
	s.b.Reset()
	for i := range puts {
		p := &puts[i]
		s.b.Begin()
		s.b.Buf = append(s.b.Buf, p.device[:]...)
		s.b.Buf = binary.BigEndian.AppendUint64(s.b.Buf, p.seq)
		s.b.Buf = append(s.b.Buf, p.id[:]...)
		s.b.Buf = append(s.b.Buf, p.payload[:]...)
		if _, err := s.b.End(); err != nil {
			return err
		}
	}
	return s.j.Append(&s.b, true)
}

func (s *inJournal) close() error { return s.j.Close() }

var bucket = []byte("kept")

// inBolt puts device and seq as the key, id and payload as the value, in one
// bucket; a transaction per commit.
type inBolt struct {
	db   *bolt.DB
	keys [][idLen + 8]byte // bbolt refers to keys and values until the commit
	vals [][idLen + payloadLen]byte
}

func openBolt(dir string) (store, error) { return openBoltWith(dir, nil) }

// openBoltTuned does not write the list of free pages at each commit, and finds
// free pages by a map.
func openBoltTuned(dir string) (store, error) {
	return openBoltWith(dir, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
}

func openBoltWith(dir string, opt *bolt.Options) (store, error) {
	db, err := bolt.Open(filepath.Join(dir, "bolt.db"), 0o600, opt)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	return &inBolt{db: db}, err
}

func (s *inBolt) commit(puts []put) error {
	s.keys, s.vals = s.keys[:0], s.vals[:0]
	for i := range puts {
		p := &puts[i]
		var k [idLen + 8]byte
		copy(k[:], p.device[:])
		binary.BigEndian.PutUint64(k[idLen:], p.seq)
		var v [idLen + payloadLen]byte
		copy(v[:], p.id[:])
		copy(v[idLen:], p.payload[:])
		s.keys, s.vals = append(s.keys, k), append(s.vals, v)
	}
	return s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucket)
		for i := range s.keys {
			if err := b.Put(s.keys[i][:], s.vals[i][:]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *inBolt) close() error { return s.db.Close() }
