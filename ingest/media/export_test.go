package media

import "time"

var (
	ParseExifTool  = parseExifTool
	NovatekBlock   = novatekBlock
	CopyrightModel = copyrightModel
)

// GPMFFelt reads the accelerometer of one raw payload.
func GPMFFelt(b []byte, at, dur time.Duration) []Felt {
	var f felt
	g := gpmf{felt: &f}
	g.payload(b, at, dur)
	return f.steps()
}
