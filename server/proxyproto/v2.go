package proxyproto

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

// The fixed part of version 2 (2.2): signature, version and command, family and
// transport, and the length of what follows.
const (
	atCommand = len(signature)
	atFamily  = atCommand + 1
	atLength  = atFamily + 1
	fixedV2   = atLength + 2

	commandLocal = 0
	commandProxy = 1
)

// families of addresses by number, with the bytes of an address and the whole
// block's. An address of AF_UNIX is a path, and has no port.
var families = [4]struct{ addr, block int }{
	0: {},         // AF_UNSPEC
	1: {4, 12},    // AF_INET
	2: {16, 36},   // AF_INET6
	3: {108, 216}, // AF_UNIX
}

// transports are UNSPEC, STREAM and DGRAM.
const transports = 3

// Extensions (2.2).
const (
	tlvHead     = 3
	tlvChecksum = 3
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zeros      = make([]byte, crc32.Size)
)

// parseV2 reads a header of version 2. b begins with signature.
func parseV2(b []byte) (h Header, n int, err error) {
	if len(b) > atCommand && b[atCommand]>>4 != 2 {
		return Header{}, 0, ErrV2Version
	}
	if len(b) < fixedV2 {
		return Header{}, 0, ErrShort
	}
	n = fixedV2 + int(binary.BigEndian.Uint16(b[atLength:]))
	if n > MaxV2 {
		return Header{}, 0, ErrV2TooLong
	}
	h.Version = 2
	family, transport := b[atFamily]>>4, b[atFamily]&15
	switch b[atCommand] & 15 {
	case commandLocal:
		// Family and addresses are ignored, whatever they are.
		if h.Local = true; len(b) < n {
			return Header{}, 0, ErrShort
		}
		return h, n, nil
	case commandProxy:
	default:
		return Header{}, 0, ErrV2Command
	}
	if int(family) >= len(families) || transport >= transports {
		return Header{}, 0, ErrV2Family
	}
	if n < fixedV2+families[family].block {
		return Header{}, 0, ErrV2Length
	}
	if len(b) < n {
		return Header{}, 0, ErrShort
	}
	if family == 0 || transport == 0 {
		return h, n, nil // nobody knows what lies there
	}
	h.Source, h.Destination = addresses(b[fixedV2:n], families[family].addr)
	if err := checkExtensions(b[:n], fixedV2+families[family].block); err != nil {
		return Header{}, 0, err
	}
	return h, n, nil
}

// addresses reads two addresses of size bytes, and their ports.
func addresses(block []byte, size int) (from, to netip.AddrPort) {
	ports := block[2*size:]
	a, b := block[:size], block[size:2*size]
	switch size {
	case 4:
		return port(netip.AddrFrom4([4]byte(a)), ports), port(netip.AddrFrom4([4]byte(b)), ports[2:])
	case 16:
		return port(netip.AddrFrom16([16]byte(a)), ports), port(netip.AddrFrom16([16]byte(b)), ports[2:])
	}
	return from, to
}

func port(ip netip.Addr, b []byte) netip.AddrPort {
	return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b))
}

// checkExtensions walks the extensions of a whole header, from at to its end. A
// checksum has to be right (2.2.3); others say nothing that is needed here.
func checkExtensions(header []byte, at int) error {
	for at < len(header) {
		if len(header)-at < tlvHead {
			return ErrV2TLV
		}
		value := at + tlvHead
		next := value + int(binary.BigEndian.Uint16(header[at+1:]))
		if next > len(header) {
			return ErrV2TLV
		}
		if header[at] == tlvChecksum {
			if next-value != crc32.Size {
				return ErrV2TLV
			}
			if checksum(header, value) != binary.BigEndian.Uint32(header[value:]) {
				return ErrV2Checksum
			}
		}
		at = next
	}
	return nil
}

// checksum is the CRC-32C of a header with zeros where its own checksum is.
func checksum(header []byte, at int) uint32 {
	sum := crc32.Update(0, castagnoli, header[:at])
	sum = crc32.Update(sum, castagnoli, zeros)
	return crc32.Update(sum, castagnoli, header[at+crc32.Size:])
}
