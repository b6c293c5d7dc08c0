// Package imprint gives pictures prints by which the same picture is known again after it was encoded anew, scaled, made
// brighter or sharpened: the signs of 128 differences of brightness (a dHash, across and down). A print says nothing of
// who or what is in the picture. It is no proof: pictures of one place taken from one spot may have near prints.
//
// The package is pure and decodes nothing.
package imprint

import (
	"math/bits"
)

// Print is the signs of the differences between the cells of a 9 × 9 grid over the picture: across, row by row from the
// top left, and down.
type Print struct{ Across, Down uint64 }

// Near is the most bits, of 128, by which the prints of one picture differ; see the package's test for what that is
// measured on.
const Near = 10

const grid = 9

// Of gives the print of a brightness plane of w × h pixels, row by row. It is false for one that is too small, or so even
// that its signs are those of noise (fog, night, a covered lens): a quarter of the differences must be of two steps of
// 256 or more.
func Of(pix []uint8, w, h int) (Print, bool) {
	if w < 2*grid || h < 2*grid || len(pix) < w*h {
		return Print{}, false
	}
	var sum [grid][grid]int64
	var col [4096]uint8
	if w > len(col) {
		return Print{}, false
	}
	for x := range w {
		col[x] = uint8(x * grid / w)
	}
	var n [grid][grid]int64
	for y := range h {
		r := y * grid / h
		s, m := &sum[r], &n[r]
		for x, v := range pix[y*w : y*w+w] {
			s[col[x]] += int64(v)
			m[col[x]]++
		}
	}
	var mean [grid][grid]int64 // in 64ths of a step
	for r := range grid {
		for c := range grid {
			mean[r][c] = sum[r][c] * 64 / n[r][c]
		}
	}
	var p Print
	clear := 0
	for r := range grid - 1 {
		for c := range grid - 1 {
			across, down := mean[r][c+1]-mean[r][c], mean[r+1][c]-mean[r][c]
			bit := uint64(1) << (r*(grid-1) + c)
			if across > 0 {
				p.Across |= bit
			}
			if down > 0 {
				p.Down |= bit
			}
			for _, d := range [2]int64{across, down} {
				if d >= 128 || d <= -128 {
					clear++
				}
			}
		}
	}
	return p, clear >= 32
}

// Distance is the number of bits that differ, 0 to 128.
func Distance(a, b Print) int {
	return bits.OnesCount64(a.Across^b.Across) + bits.OnesCount64(a.Down^b.Down)
}

// Bands are what prints are looked up by: near prints share at least one of the four, most likely (always when they differ
// in fewer than four bits). Each takes every fourth bit, so that none lies in the sky or on the bonnet alone. The number
// of the band is in the value, above its 32 bits.
func (p Print) Bands() [4]int64 {
	var out [4]int64
	for i := range out {
		out[i] = int64(i)<<32 | int64(every4(p.Across>>i)<<16|every4(p.Down>>i))
	}
	return out
}

// every4 packs bits 0, 4, 8 … into 16.
func every4(v uint64) uint64 {
	v &= 0x1111111111111111
	v = (v | v>>3) & 0x0303030303030303
	v = (v | v>>6) & 0x000f000f000f000f
	v = (v | v>>12) & 0x000000ff000000ff
	return (v | v>>24) & 0xffff
}
