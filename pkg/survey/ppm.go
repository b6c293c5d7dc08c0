package survey

import "fmt"

// PPM is a share in parts per million, 0 to 1,000,000. Scores that decide money are PPM, never floats.
type PPM int64

// One is the whole.
const One PPM = 1_000_000

// ClampPPM forces v into [0, One].
func ClampPPM(v int64) PPM { return PPM(min(max(v, 0), int64(One))) }

// PPMOf converts a share in [0, 1], rounded to nearest; NaN gives 0.
func PPMOf(share float64) PPM {
	if !(share > 0) {
		return 0
	}
	if share >= 1 {
		return One
	}
	return PPM(share*1e6 + 0.5)
}

// Mul is p × q rounded down.
func (p PPM) Mul(q PPM) PPM { return p * q / One }

// Float is the share as a float, for display and tiles.
func (p PPM) Float() float64 { return float64(p) / 1e6 }

// Amount is money in integer base units (10^-9 of a token). Floats never touch it.
type Amount int64

// BaseUnits is how many base units make one token.
const BaseUnits Amount = 1_000_000_000

// String prints tokens with nine decimals, exactly.
func (a Amount) String() string {
	sign := ""
	if a < 0 {
		sign, a = "-", -a
	}
	return fmt.Sprintf("%s%d.%09d", sign, a/BaseUnits, a%BaseUnits)
}
