package state

import "time"

// SetTogetherMost is for how long one job does what came meanwhile, until the test ends.
func SetTogetherMost(d time.Duration) (restore func()) {
	was := togetherMost
	togetherMost = d
	return func() { togetherMost = was }
}
