package cv_test

import (
	"encoding/binary"
	"hash/crc32"
)

// withPNGOrientation adds an eXIf chunk after IHDR.
func withPNGOrientation(b []byte, o int) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00")
	tiff[19] = byte(o)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(tiff)))
	body := append([]byte("eXIf"), tiff...)
	chunk = append(chunk, body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(body))
	const ihdr = 33
	return append(append(append([]byte(nil), b[:ihdr]...), chunk...), b[ihdr:]...)
}
