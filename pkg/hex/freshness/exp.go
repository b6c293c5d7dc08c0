package freshness

import "math/bits"

// root[k-1] is floor(2^62 × 2^(-2^-k)), k = 1…32: the repeated square roots of a half.
var root = [32]uint64{
	0x2d413cccfe779921, 0x35d13f32b5a75abd, 0x3ab031b9f7490e4b, 0x3d495f454921b30b,
	0x3ea0ecb6dc8a80ce, 0x3f4f83033d21b05d, 0x3fa784571ee3e212, 0x3fd3b2d65447b229,
	0x3fe9d59487236bb4, 0x3ff4e9d4703df842, 0x3ffa74acbdf6c9d5, 0x3ffd3a46ffc6e30f,
	0x3ffe9d1fa8010199, 0x3fff4e8ede053ad4, 0x3fffa747318376ac, 0x3fffd3a38961e6fe,
	0x3fffe9d1c0d8fd14, 0x3ffff4e8df7680c4, 0x3ffffa746f7dc0eb, 0x3ffffd3a37af8097,
	0x3ffffe9d1bd3e854, 0x3fffff4e8de8fe2c, 0x3fffffa746f44196, 0x3fffffd3a37a116b,
	0x3fffffe9d1bd04dd, 0x3ffffff4e8de8178, 0x3ffffffa746f407e, 0x3ffffffd3a37a030,
	0x3ffffffe9d1bd014, 0x3fffffff4e8de809, 0x3fffffffa746f404, 0x3fffffffd3a37a02,
}

// Decay is 10^6 × 2^(-age/halfLife) rounded down: parts per million left of something after age seconds. A negative age
// counts as 0. It is integer arithmetic throughout, the same on every machine, never rises with age, and is exactly
// halved (rounded down) by each whole half-life. It panics if halfLife is not in [1, 2^31).
//
// The age splits into whole half-lives, which shift, and a rest, whose share of a half-life is cut to 32 binary digits;
// the digits select which of the roots of a half are multiplied, each product cut to 62 bits (FORMULA.md §1).
func Decay(age, halfLife int64) int64 {
	if halfLife < 1 || halfLife >= 1<<31 {
		panic("freshness: half-life out of range")
	}
	if age <= 0 {
		return 1_000_000
	}
	whole, rest := age/halfLife, age%halfLife
	if whole >= 20 { // 10^6 < 2^20
		return 0
	}
	f := uint64(rest) << 32 / uint64(halfLife)
	v := uint64(1) << 62
	for f != 0 {
		k := bits.LeadingZeros32(uint32(f))
		hi, lo := bits.Mul64(v, root[k])
		v = hi<<2 | lo>>62
		f &^= 1 << (31 - k)
	}
	hi, lo := bits.Mul64(v, 1_000_000)
	return int64((hi<<2 | lo>>62) >> whole)
}
