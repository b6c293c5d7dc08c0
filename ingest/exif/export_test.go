package exif

// XMP reads a packet alone.
func XMP(b []byte) Meta {
	var m Meta
	m.readXMP(b)
	return m
}
