package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// generator makes ids up. The same one makes the same ids.
type generator struct {
	n    uint64
	make func(b []byte, i uint64) []byte // appends id i
}

// mostGenerated is more than anybody waits for.
const mostGenerated = 1 << 40

// patterns that have a name.
var patterns = map[string]struct {
	most uint64
	make func(seed uint64) func(b []byte, i uint64) []byte
}{
	"uuid": {mostGenerated, uuids},
	"mac":  {uint64(len(vendors)) << 24, func(uint64) func(b []byte, i uint64) []byte { return mac }},
	"imei": {uint64(len(models)) * 1_000_000, func(uint64) func(b []byte, i uint64) []byte { return imei }},
}

// newGenerator returns a generator of n ids by a pattern: uuid, mac, imei, or text
// with one %d, %x or %X, which may have a width (%09d).
func newGenerator(n uint64, pattern string, seed uint64) (*generator, error) {
	if n < 1 || n > mostGenerated {
		return nil, fmt.Errorf("generate is %d, must be 1 to %d", n, int64(mostGenerated))
	}
	if p, ok := patterns[pattern]; ok {
		if n > p.most {
			return nil, fmt.Errorf("generate is %d, there are %d different ids of pattern %s", n, p.most, pattern)
		}
		return &generator{n, p.make(seed)}, nil
	}
	form, err := parsePattern(pattern)
	if err != nil {
		return nil, err
	}
	return &generator{n, form.append}, nil
}

func (g *generator) each(ctx context.Context, f func(id []byte, count uint64) error) error {
	var b []byte
	for i := range g.n {
		if i&(1<<14-1) == 0 && ctx.Err() != nil {
			return errInterrupted
		}
		b = g.make(b[:0], i)
		if err := f(b, 1); err != nil {
			return err
		}
	}
	return nil
}

// form is a pattern with a number in it.
type form struct {
	before, after string
	base, width   int
	upper         bool
	pad           byte
}

func parsePattern(pattern string) (f form, err error) {
	wrong := func(why string) (form, error) {
		return f, fmt.Errorf("pattern %q %s: write uuid, mac, imei, or text with one number in it, such as device-%%09d", pattern, why)
	}
	before, verb, ok := strings.Cut(pattern, "%")
	if !ok {
		return wrong("has no number")
	}
	end := strings.IndexAny(verb, "dxX")
	if end < 0 {
		return wrong("has a % without d or x")
	}
	f.before, f.after, f.base, f.pad = before, verb[end+1:], 10, ' '
	if verb[end] != 'd' {
		f.base, f.upper = 16, verb[end] == 'X'
	}
	width := verb[:end]
	if strings.HasPrefix(width, "0") {
		f.pad = '0'
	}
	if width != "" {
		if f.width, err = strconv.Atoi(width); err != nil || f.width < 0 || f.width > 64 {
			return wrong("has a width that is not 0 to 64")
		}
	}
	if strings.Contains(f.after, "%") {
		return wrong("has a second %")
	}
	return f, nil
}

func (f form) append(b []byte, i uint64) []byte {
	b = append(b, f.before...)
	var digits [20]byte
	number := strconv.AppendUint(digits[:0], i, f.base)
	for n := len(number); n < f.width; n++ {
		b = append(b, f.pad)
	}
	for _, d := range number {
		if f.upper && d >= 'a' {
			d -= 'a' - 'A'
		}
		b = append(b, d)
	}
	return append(b, f.after...)
}

// uuids makes random UUIDs of version 4.
func uuids(seed uint64) func(b []byte, i uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0x726f6f7374))
	return func(b []byte, _ uint64) []byte {
		hi, lo := r.Uint64()&^0xf000|0x4000, r.Uint64()&^(3<<62)|2<<62
		return fmt.Appendf(b, "%08x-%04x-%04x-%04x-%012x", hi>>32, hi>>16&0xffff, hi&0xffff, lo>>48, lo&0xffffffffffff)
	}
}

// vendors are first halves of MAC addresses: IANA's, and locally administered ones.
var vendors = [...]uint64{0x00005e, 0x020000, 0x02005e, 0x060000, 0x0a0000, 0x0e0000, 0x122334, 0x1a2b3c}

// mac numbers the devices of a vendor, then those of the next one.
func mac(b []byte, i uint64) []byte {
	v := vendors[i>>24]<<24 | i&0xffffff
	for shift := 40; shift >= 0; shift -= 8 {
		b = fmt.Appendf(b, "%02x", byte(v>>shift))
		if shift > 0 {
			b = append(b, ':')
		}
	}
	return b
}

// models are type allocation codes, made up.
var models = [...]uint64{1012345, 1012346, 1012352, 1098765, 1054321, 1000017, 1031415, 1027182}

// imei numbers the devices of a model, then those of the next one: 8 digits of the
// model, 6 of the device, and a check digit by Luhn's rule.
func imei(b []byte, i uint64) []byte {
	b = fmt.Appendf(b, "%08d%06d", models[i/1_000_000], i%1_000_000)
	sum := 0
	for at, digit := range b[len(b)-14:] {
		d := int(digit - '0')
		if at%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return append(b, byte('0'+(10-sum%10)%10))
}
